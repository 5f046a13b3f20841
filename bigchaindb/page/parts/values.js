// Values of assets and metadata: where others have the same.

import { getRead } from "../api.js";
import { el } from "../dom.js";
import { texts } from "../texts.js";
import { textOf } from "../verify/block.js";
import { Digits, parse } from "../verify/json.js";
import { plain } from "../verify/transaction.js";

const VALUE_MAX = 200;

/**
 * Return what stands behind a leaf: a link to all transactions with the same value at the same place.
 * @param {"data" | "metadata"} family
 * @returns {import("./tree.js").Leaf}
 */
export function others(family) {
  return (path, value) => {
    const text = value instanceof Digits || typeof value === "boolean" ? String(value) : value;
    // A filter's path is names with points between them, and enters no array.
    const isNamed = path.length > 0 && path.every((name) => name !== "" && !name.includes(".") && !/^\d+$/.test(name));
    if (!isNamed || typeof text !== "string" || text === "" || text.length > VALUE_MAX) return null;
    const query = new URLSearchParams({ granularity: "transaction", [[family, ...path].join(".")]: text });
    const label = texts.transaction.othersWith(path.join("."));
    const link = { class: "others", href: `#/blocks?${query}`, title: label, "aria-label": label };
    return el("a", link, texts.transaction.others);
  };
}

/**
 * Read an asset; the numbers of its data keep their digits.
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<import("../api.js").Answer<any>>}
 */
export function getAsset(id, signal) {
  return getRead(`assets/${encodeURIComponent(id)}`, signal, (bytes) => {
    const text = textOf(bytes);
    return { ...JSON.parse(text), data: plain(parse(text)).data };
  });
}
