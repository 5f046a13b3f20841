// States of things and of answers: a sign, a word and a colour together, never the colour alone.

import { button, el } from "../dom.js";
import { texts } from "../texts.js";

/** @typedef {import("../api.js").Problem} Problem */
/** @typedef {"good" | "bad" | "warn" | "off" | "busy"} Mood */

const SIGNS = { good: "✓", bad: "✗", warn: "▲", off: "○", busy: "●" };

/**
 * @param {Mood} mood
 * @param {import("../dom.js").Child} words
 * @param {string} [title]
 */
export function state(mood, words, title) {
  return el("span", { class: `state ${mood}`, title }, el("i", { "aria-hidden": "true" }, SIGNS[mood]), words);
}

/**
 * An answer that did not come: what happened, why, what to do.
 * @param {Problem} problem
 * @param {() => void} [retry]
 */
export function trouble(problem, retry) {
  const [title = "", advice = ""] = words(problem);
  const needsKey = problem.status === 401 || problem.status === 403;
  const again = retry && button(texts.problem.retry, retry);
  const ask = () => dispatchEvent(new Event("key-wanted"));
  const give = button(texts.key.give, ask, "button primary");
  return el(
    "div",
    { class: "notice bad", role: "alert", "data-status": problem.status },
    el("h2", null, title),
    el("p", null, problem.message),
    el("p", { class: "dim" }, quoted(advice)),
    el("p", { class: "row" }, needsKey && give, again),
  );
}

/** @param {Problem} problem */
function words({ status, message }) {
  const { titles } = texts.problem;
  if (status === 500 && message.includes("StoreDamaged")) return titles.damaged;
  const known = /** @type {Record<number, string[]>} */ (titles.by);
  return known[status] ?? (status < 500 ? titles.refused : titles.failed);
}

/**
 * @param {string} title
 * @param {...import("../dom.js").Child} children
 */
export function empty(title, ...children) {
  return el("div", { class: "notice" }, el("h2", null, title), children);
}

/** Grey lines where content will be. */
export function loading(lines = 4) {
  const bars = Array.from({ length: lines }, () => el("span", { class: "bone" }));
  return el("div", { class: "loading", role: "status" }, el("span", { class: "sr" }, texts.loading), bars);
}

/**
 * A text whose parts between backticks are code.
 * @param {string} text
 */
export function quoted(text) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? el("code", null, part) : part));
}
