// Elements from a tag, attributes and children. Whatever a ledger holds becomes a text node here and nowhere else.

/** @typedef {Node | string | number | bigint | null | undefined | false | readonly Child[]} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Attributes */

const SVG = "http://www.w3.org/2000/svg";
// Controls, marks without width and marks of direction: each can make a text look like another one.
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const SHOWN = new Set(["title", "aria-label", "placeholder", "data-title"]);

/**
 * Return a text in which every character is visible.
 * @param {string} text
 */
export function revealed(text) {
  return text.replace(UNSEEN, (one) => `U+${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`);
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes | null} [attributes] a function is a listener, false and null leave the attribute out
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  return filled(attributed(made, attributes), children);
}

/**
 * @param {string} tag
 * @param {Attributes | null} [attributes]
 * @param {...Child} children
 */
export function svg(tag, attributes, ...children) {
  return filled(attributed(document.createElementNS(SVG, tag), attributes), children);
}

/**
 * @param {Child} label
 * @param {(event: MouseEvent) => void} onclick
 * @param {string} [kind]
 */
export function button(label, onclick, kind = "button") {
  return el("button", { type: "button", class: kind, onclick }, label);
}

/**
 * Replace what is in an element.
 * @param {Element} parent
 * @param {...Child} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren();
  return filled(parent, children);
}

/**
 * Update a list by key: what stays is not touched, so that focus, selection and open parts survive.
 * @template Row
 * @param {Element} parent
 * @param {readonly Row[]} rows
 * @param {(row: Row) => string} key
 * @param {(row: Row) => Element} make
 */
export function keyed(parent, rows, key, make) {
  const there = new Map([...parent.children].map((child) => [child.getAttribute("data-key"), child]));
  rows.forEach((row, index) => {
    const name = key(row);
    const child = there.get(name) ?? make(row);
    there.delete(name);
    child.setAttribute("data-key", name);
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  for (const left of there.values()) left.remove();
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes | null | undefined} attributes
 */
function attributed(element, attributes) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : SHOWN.has(name) ? revealed(String(value)) : String(value));
  }
  return element;
}

/**
 * @template {Element} E
 * @param {E} parent
 * @param {readonly Child[]} children
 */
function filled(parent, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (child instanceof Node) parent.append(child);
    else if (Array.isArray(child)) filled(parent, child);
    else parent.append(document.createTextNode(revealed(String(child))));
  }
  return parent;
}
