// The kinds of entries that the log has, as tabs above its lists.

import { el } from "../dom.js";
import { texts } from "../texts.js";

const KINDS = /** @type {const} */ (["all", "valid", "invalid", "transaction", "rejected"]);
const T = texts.blocks;

/**
 * @param {string} chosen
 * @param {Record<string, string>} [given] other filters, which stay
 */
export function kindTabs(chosen, given = {}) {
  const link = (/** @type {typeof KINDS[number]} */ kind) => {
    const href = kind === "rejected" ? "#/rejected" : kindHref("#/blocks", kind, given);
    return el("a", { href, "aria-current": kind === chosen ? "true" : null }, T.kinds[kind]);
  };
  return el("nav", { class: "tabs", "aria-label": T.kind }, KINDS.map(link));
}

/**
 * @param {string} base
 * @param {string} kind
 * @param {Record<string, string>} filters those without a value are left out
 */
export function kindHref(base, kind, { type: _type, granularity: _granularity, ...filters }) {
  const own = kind === "all" ? {} : kind === "transaction" ? { granularity: kind } : { type: kind };
  const given = Object.entries({ ...own, ...filters }).filter(([, value]) => value.trim());
  const text = new URLSearchParams(given).toString();
  return `${base}${text && "?"}${text}`;
}
