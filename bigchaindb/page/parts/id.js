// An id or key: shortened in the middle, whole for copying, for screen readers and on hover.

import { el } from "../dom.js";
import { short } from "../format.js";
import { texts } from "../texts.js";
import { icon } from "./icons.js";

const DONE_MS = 1_500;

/**
 * @param {string} value
 * @param {{ href?: string, whole?: boolean, copy?: boolean }} [options] without `href` it is no link
 */
export function id(value, { href, whole = false, copy = true } = {}) {
  const shown = whole
    ? [value]
    : [el("span", { "aria-hidden": "true" }, short(value)), el("span", { class: "sr" }, value)];
  const name = href ? el("a", { href, title: value }, shown) : el("span", { title: value }, shown);
  return el("span", { class: whole ? "id whole" : "id" }, name, copy && copying(() => value, texts.copy.id));
}

/**
 * @param {() => string | Promise<string>} text
 * @param {string} label
 * @param {string} [shown] beside the icon
 */
export function copying(text, label, shown) {
  const words = shown ? el("span", null, shown) : null;
  const button = el("button", { type: "button", class: shown ? "button" : "copy", title: label }, icon("copy"), words);
  button.setAttribute("aria-label", shown ?? label);
  button.addEventListener("click", async () => {
    const done = await copied(await text());
    button.classList.toggle("done", done);
    button.setAttribute("aria-label", done ? texts.copy.done : texts.copy.failed);
    setTimeout(() => {
      button.classList.remove("done");
      button.setAttribute("aria-label", shown ?? label);
    }, DONE_MS);
  });
  return button;
}

/**
 * A command to copy.
 * @param {string} line
 */
export function command(line) {
  const button = copying(() => line, texts.copy.id);
  return el("div", { class: "command" }, el("code", null, line), button);
}

/**
 * The clipboard of browsers exists on https and localhost only; elsewhere a selection is copied.
 * @param {string} text
 */
async function copied(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const area = el("textarea", { class: "sr" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** @param {string} value */
export const transactionId = (value) => id(value, { href: `#/transactions/${encodeURIComponent(value)}` });
/** @param {string} value */
export const assetId = (value) => id(value, { href: `#/assets/${encodeURIComponent(value)}` });
/** @param {string} value */
export const owner = (value) => id(value, { href: `#/owners/${encodeURIComponent(value)}` });
/** @param {string | number} value */
export const blockId = (value) => id(String(value), { href: `#/blocks/${encodeURIComponent(value)}` });
