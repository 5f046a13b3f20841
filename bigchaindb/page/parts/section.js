// A piece of a screen that shows an answer: loading, then what is made of it, or what is wrong with a way out.

import { el, fill } from "../dom.js";
import { loading, trouble } from "./state.js";

/**
 * @template T
 * @param {AbortSignal} signal ends with the screen
 * @param {() => Promise<import("../api.js").Answer<T>>} read
 * @param {(value: T) => import("../dom.js").Child} show
 * @param {{ missing?: () => import("../dom.js").Child, lines?: number }} [options] `missing`: shown for a 404
 */
export function answered(signal, read, show, { missing, lines } = {}) {
  const place = el("div", { class: "answered" });
  const load = async () => {
    fill(place, loading(lines));
    const { value, problem } = await read();
    if (signal.aborted) return;
    if (problem === null) fill(place, show(value));
    else fill(place, problem.status === 404 && missing ? missing() : trouble(problem, load));
  };
  load();
  return place;
}

/**
 * A titled box.
 * @param {import("../dom.js").Child} title
 * @param {import("../dom.js").Child} content
 * @param {import("../dom.js").Child} [aside] at the right of the title
 */
export function card(title, content, aside) {
  const head = el("header", null, el("h2", null, title), aside ? el("div", { class: "aside" }, aside) : null);
  return el("section", { class: "card" }, head, content);
}

/**
 * Names and values side by side.
 * @param {readonly (readonly [string, import("../dom.js").Child])[]} pairs
 */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined);
  return el(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => el("div", null, el("dt", null, name), el("dd", null, value))),
  );
}
