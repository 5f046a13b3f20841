// Numbers, times and ids as people read them. Pure: the same module runs in Node.

import { Digits } from "./verify/json.js";

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
const STEPS = /** @type {const} */ ([
  [1, "s"],
  [60, "min"],
  [3600, "h"],
  [86_400, "d"],
]);
const LABEL = 60;
const LOOKED_AT = 20;
const NAMES = ["name", "title", "label", "description"];
const ID_HEAD = 6;
const ID_TAIL = 4;

/**
 * Return an integer with its digits in groups; of a text each digit is kept.
 * @param {number | bigint | string} value
 */
export function number(value) {
  const digits = typeof value === "number" ? String(Math.round(value)) : String(value);
  return /^-?\d+$/.test(digits) ? digits.replace(/\B(?=(\d{3})+$)/g, ",") : digits;
}

/**
 * Return a rate: whole from 10 on, one digit below.
 * @param {number} value
 */
export function rate(value) {
  return value >= 10 || value === 0 ? number(value) : value.toFixed(1);
}

/** @param {number} value */
export function bytes(value) {
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(value, 1)) / 10)));
  const scaled = value / 1024 ** step;
  return `${step === 0 || scaled >= 10 ? number(scaled) : scaled.toFixed(1)} ${UNITS[step]}`;
}

/**
 * Return a span of time with one unit.
 * @param {number} seconds
 */
export function span(seconds) {
  const step = STEPS.findLast(([size]) => seconds >= size) ?? STEPS[0];
  return `${number(Math.floor(Math.max(0, seconds) / step[0]))} ${step[1]}`;
}

/**
 * Return a moment as `2026-01-31 12:00:00 UTC`.
 * @param {number} at in seconds
 */
export function utc(at) {
  const date = new Date(at * 1000);
  return Number.isNaN(date.getTime()) ? String(at) : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/**
 * Return an id shortened in the middle.
 * @param {string} id
 */
export function short(id) {
  return id.length <= ID_HEAD + ID_TAIL + 2 ? id : `${id.slice(0, ID_HEAD)}…${id.slice(-ID_TAIL)}`;
}

/**
 * Return the seconds of a block's timestamp, of a CloudEvent's time or of a number.
 * @param {string | number} at
 */
export function seconds(at) {
  return typeof at === "number" ? at : /^\d+(\.\d+)?$/.test(at) ? Number(at) : Date.parse(at) / 1000;
}

/**
 * Return the position in the log that a CloudEvent's `sequence` names.
 * @param {{ sequence: string }} event
 */
export function position(event) {
  return Number(event.sequence.split(":")[0]);
}

/**
 * Return a phrase with the right form of its noun: `1 block`, `1,204 blocks`.
 * @param {number} count
 * @param {string} noun
 */
export function counted(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * @param {number} count
 * @param {boolean} isAll whether everything was counted
 */
export function atLeast(count, isAll) {
  return isAll ? number(count) : `at least ${number(count)}`;
}

/**
 * Return how many bytes a text has where it is stored.
 * @param {string} text
 */
export function byteCount(text) {
  return new TextEncoder().encode(text).length;
}

/**
 * Return what people would call a thing: its name, else the first text in its data, else the beginning of its data.
 * @param {any} data
 */
export function label(data) {
  if (data === null || data === undefined) return "";
  const text = named(data) || (typeof data === "string" ? data : JSON.stringify(data));
  if (text === "{}") return "";
  return text.length > LABEL ? `${text.slice(0, LABEL)}…` : text;
}

/** @param {any} data @returns {string} */
function named(data) {
  if (typeof data === "string") return /^[\d\s:.TZ+-]*$/.test(data) ? "" : data; // a date or a number names nothing
  if (data === null || typeof data !== "object" || data instanceof Digits) return "";
  for (const inner of [...NAMES.map((name) => data[name]), ...Object.values(data).slice(0, LOOKED_AT)]) {
    const found = named(inner);
    if (found) return found;
  }
  return "";
}
