// Questions to a person: the browser's own dialog, which keeps the focus inside and closes with Escape.

import { button, el } from "../dom.js";
import { texts } from "../texts.js";

/**
 * @typedef {{ name: string, label: string, type?: string, value?: string, hint?: string, required?: boolean }} Field
 */

/**
 * Ask once; return what was filled in, null if the person thought better of it.
 * @param {string} title
 * @param {import("../dom.js").Child} text
 * @param {{ confirm: string, danger?: boolean, fields?: readonly Field[] }} options
 * @returns {Promise<Record<string, string> | null>}
 */
export function question(title, text, { confirm, danger = false, fields = [] }) {
  const inputs = fields.map((field) => labelled(field));
  const cancel = button(texts.cancel, () => dialog.close());
  const yes = el("button", { class: danger ? "button danger" : "button primary", value: "yes" }, confirm);
  const body = typeof text === "string" ? el("p", null, text) : text;
  const form = el("form", { method: "dialog" }, el("h2", { id: "asked" }, title), body, inputs);
  form.append(el("div", { class: "row end" }, cancel, yes));
  const dialog = el("dialog", { "aria-labelledby": "asked" }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
      dialog.remove();
      resolve(dialog.returnValue === "yes" ? given : null);
    });
  });
}

/** @param {Field} field */
function labelled({ name, label, type = "text", value = "", hint, required = false }) {
  const input = el("input", { name, type, required, autocomplete: "off", spellcheck: "false" });
  input.value = value;
  return el("label", { class: "field" }, el("span", null, label), input, hint ? el("small", null, hint) : null);
}
