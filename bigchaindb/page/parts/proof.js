// Proofs of a block or event: to check here, and to take along.

import { get } from "../api.js";
import { el } from "../dom.js";
import { texts } from "../texts.js";
import { trouble } from "./state.js";

/**
 * @param {import("../app.js").Context} context
 * @param {string} path below `/api/v1/`: `blocks/42/proof`, `events/7/proof`
 */
export function proofActions({ signal }, path) {
  const said = el("div");
  const take = async () => {
    const { value, problem } = await get(path, {}, signal);
    if (problem) said.replaceChildren(trouble(problem));
    else save(`${path.replaceAll("/", "-")}.json`, JSON.stringify(value));
  };
  return el(
    "div",
    { class: "row" },
    el("button", { type: "button", class: "button", onclick: take }, texts.block.download),
    said,
  );
}

/**
 * @param {string} name
 * @param {string} text
 */
export function save(name, text) {
  const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  el("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1_000);
}
