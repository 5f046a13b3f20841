// Moments as "4 min ago", with the moment itself in UTC on hover and focus.

import { el } from "../dom.js";
import { span, utc } from "../format.js";
import { texts } from "../texts.js";

const TICK_MS = 1_000;

/** @param {number} at in seconds */
export function ago(at) {
  const made = el("time", { "data-at": at, title: utc(at), tabindex: 0, datetime: iso(at) }, relative(at));
  return made;
}

/** Keep every moment on the page up to date. */
export function tick() {
  setInterval(() => {
    for (const one of document.querySelectorAll("time[data-at]")) {
      const text = relative(Number(one.getAttribute("data-at")));
      if (one.textContent !== text) one.textContent = text;
    }
  }, TICK_MS);
}

/** @param {number} at */
function relative(at) {
  const passed = Date.now() / 1000 - at;
  return passed < 1 ? texts.time.now : texts.time.ago(span(passed));
}

/** @param {number} at */
function iso(at) {
  const date = new Date(at * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
