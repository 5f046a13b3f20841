// JSON that unfolds in place. Branches are made when they are opened, so size and depth cost nothing before.

import { el } from "../dom.js";
import { counted, number } from "../format.js";
import { texts } from "../texts.js";
import { Digits } from "../verify/json.js";
import { pieces } from "./pieces.js";

/** @typedef {(path: string[], value: unknown) => import("../dom.js").Child} Leaf what stands behind a leaf */

const PIECE = 100;
const CHARACTERS = 2_000;
const OPEN_DEPTH = 2;
const OPEN_COUNT = 20;

/**
 * @param {unknown} value
 * @param {Leaf} [leaf]
 */
export function tree(value, leaf) {
  return el("div", { class: "tree" }, branch([], value, leaf));
}

/**
 * @param {string[]} path
 * @param {unknown} value
 * @param {Leaf} [leaf]
 * @returns {HTMLElement}
 */
function branch(path, value, leaf) {
  const name = path.at(-1);
  const label = name === undefined ? null : el("span", { class: "name" }, name, ": ");
  if (value === null || typeof value !== "object" || value instanceof Digits)
    return el("div", null, label, scalar(value), leaf?.(path, value));
  const entries = Object.entries(value);
  const kind = Array.isArray(value) ? texts.tree.item : texts.tree.member;
  if (entries.length === 0) return el("div", null, label, Array.isArray(value) ? "[]" : "{}");
  const inner = el("div", { class: "inner" });
  const node = el("details", null, el("summary", null, label, el("em", null, counted(entries.length, kind))), inner);
  const make = (/** @type {[string, unknown]} */ [name, one]) => branch([...path, name], one, leaf);
  const open = () => {
    if (node.open && inner.childElementCount === 0) node.append(pieces(inner, entries, make, PIECE, PIECE));
  };
  node.addEventListener("toggle", open);
  node.open = path.length < OPEN_DEPTH && entries.length <= OPEN_COUNT;
  open(); // the event of this opening comes after the next frame, which would show an empty branch
  return node;
}

/** @param {unknown} value */
function scalar(value) {
  if (typeof value !== "string") return el("span", { class: "value" }, String(value));
  if (value.length <= CHARACTERS) return el("span", { class: "value text" }, value);
  const node = el("span", { class: "value text" }, value.slice(0, CHARACTERS));
  let shown = CHARACTERS;
  const button = el("button", { type: "button", class: "link" }, texts.tree.rest(number(value.length - shown)));
  button.addEventListener("click", () => {
    node.append(el("span", null, value.slice(shown, shown + 10 * CHARACTERS)));
    shown += 10 * CHARACTERS;
    if (shown >= value.length) button.remove();
    else button.textContent = texts.tree.rest(number(value.length - shown));
  });
  return [node, button];
}
