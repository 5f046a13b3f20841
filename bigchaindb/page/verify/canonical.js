/**
 * The one text of a value, which is hashed and signed. Source: docs/reference/contract/transactions.md, section 2.
 *
 * @typedef {import("./json.js").Json} Json
 */

import { Digits, Refusal } from "./json.js";

/**
 * Return the canonical text of a value, floats laid out as the version of its document requires.
 *
 * @param {Json} value
 * @param {boolean} isFirst version 1.0
 * @returns {string}
 */
export function canonical(value, isFirst) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return quoted(value);
  if (value instanceof Digits) return value.isWhole ? whole(value.text) : float(value.text, isFirst);
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one, isFirst)).join(",")}]`;
  const keys = [...value.keys()].sort(byCodePoint);
  return `{${keys.map((key) => `${quoted(key)}:${canonical(value.get(key), isFirst)}`).join(",")}}`;
}

/** Whether a document is of version 1.0; a number that equals it counts, as it does for the node. @param {Json} version */
export const isFirstVersion = (version) =>
  version === "1.0" || (version instanceof Digits && !version.isWhole && Number(version.text) === 1);

/** @param {string} text */
function quoted(text) {
  const escaped = JSON.stringify(text);
  if (!escaped.includes("\\u00")) return escaped;
  return escaped.replace(/\\\\|\\u00(..)/g, (all, digits) => (digits ? `\\u00${digits.toUpperCase()}` : all));
}

/** JavaScript sorts by units of UTF-16, in which all above U+FFFF comes too early. @param {string} a @param {string} b */
function byCodePoint(a, b) {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  if (at === a.length || at === b.length) return a.length - b.length;
  /** @param {number} unit */
  const rank = (unit) => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800);
  return rank(a.charCodeAt(at)) - rank(b.charCodeAt(at));
}

/** @param {string} text */
function whole(text) {
  const number = text.length > 310 ? null : BigInt(text);
  if (number === null || (number < 0 ? -number : number) > BigInt(Number.MAX_VALUE)) {
    throw new Refusal("an integer is beyond the largest double");
  }
  return String(number);
}

/** @param {string} text @param {boolean} isFirst */
function float(text, isFirst) {
  const number = Number(text);
  if (!Number.isFinite(number)) throw new Refusal("a number is beyond the largest double");
  const sign = number < 0 || Object.is(number, -0) ? "-" : "";
  const [mantissa = "", power] = Math.abs(number).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const point = Number(power) + 1; // where it stands, counted from the first digit
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
  const isPlain = number === 0 || (point > -4 && point <= 16);
  if (isPlain || (isFirst && point > -6 && point <= 21)) {
    if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
    return `${sign}${digits.slice(0, point).padEnd(point, "0")}.${digits.slice(point) || "0"}`;
  }
  if (isFirst) return `${sign}${digits[0]}${fraction}e${point - 1}`;
  const exponent = String(Math.abs(point - 1)).padStart(2, "0");
  return `${sign}${digits[0]}${fraction}e${point > 0 ? "+" : "-"}${exponent}`;
}
