// A list that is read page by page: its rows, and at its foot the button for those that come behind them.

import { get } from "../api.js";
import { button, el, fill } from "../dom.js";
import { number } from "../format.js";
import { texts } from "../texts.js";
import { loading, trouble } from "./state.js";

/** Pages without a row that are passed over before a person is asked: a filter's scan ends after a while. */
const EMPTY_MAX = 20;
const ROWS_MAX = 1_000;
/** The status of a place that the log has lost: it would be refused again. */
const GONE = 410;

/**
 * @typedef {object} Options
 * @property {"before" | "after"} [way] `before`: newest first
 * @property {string | null} [begin] the place of the first page
 * @property {any} [first] the first page, if it is here already
 * @property {number} [rowsMax]
 * @property {string} [more] what the button says
 * @property {(page: any) => import("../dom.js").Child} [remark] what stands above the button
 * @property {(live: string) => void} [follow] gets the place behind the newest row
 * @property {() => void} [lost] reads all anew where the log is another one; only the list unless it is given
 */

/**
 * @param {AbortSignal} signal ends with the screen
 * @param {string} path below `/api/v1/`
 * @param {import("../api.js").Query} query
 * @param {(page: any, isFirst: boolean) => import("../dom.js").Child} show returns what is shown, with a table
 * @param {Options} [options]
 */
export function paged(signal, path, query, show, options = {}) {
  const {
    way = "before",
    begin = "now",
    first,
    rowsMax = ROWS_MAX,
    more = texts.older,
    remark,
    follow,
    lost,
  } = options;
  const place = el("div", null, loading(4));
  const foot = el("div", { class: "foot" });
  let next = begin;
  let live = "";
  let isFirst = true;
  let isShown = false;
  let asked = 0;

  const read = async (passed = 0) => {
    asked += 1;
    const mine = asked;
    const { value, problem } = await get(path, { ...query, [way]: next }, signal);
    if (signal.aborted || mine !== asked) return; // the list began anew meanwhile
    const retry = problem?.status === GONE ? (lost ?? renew) : again;
    if (problem !== null) fill(isShown ? foot : place, trouble(problem, retry));
    else take(value, passed);
  };
  /** @param {any} value @param {number} passed */
  const take = (value, passed) => {
    next = value.next;
    live ||= value.live ?? "";
    const isEnd = value.end ?? value.head;
    if ((value.events ?? value.outputs).length === 0 && !isEnd && passed < EMPTY_MAX) return read(passed + 1);
    put(show(value, isFirst));
    const isFull = place.querySelectorAll("tbody > tr").length >= rowsMax;
    const full = isFull && el("p", { class: "dim" }, texts.most(number(rowsMax)));
    fill(foot, full, remark?.(value), !isEnd && !isFull && button(more, again));
    if (isFirst && live) follow?.(live);
    isFirst = false;
    isShown = true;
  };
  const again = () => read();
  /** @param {import("../dom.js").Child} shown */
  const put = (shown) => {
    if (place.firstChild !== shown) fill(place, shown);
  };
  /** Read the list from its beginning; what is shown stays until it is there. */
  const renew = () => {
    [next, live, isFirst] = [begin, "", true];
    return read();
  };
  if (first) take(first, 0);
  else read();
  return { node: el("div", null, place, foot), put, renew };
}
