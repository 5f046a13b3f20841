// The log, newest first: blocks, or transactions, or the CREATEs of assets; by kind, asset and owner.

import { get } from "../api.js";
import { el, fill } from "../dom.js";
import { seconds, utc } from "../format.js";
import { ASSETS, BLOCKS, classOf, Feed, keyOf, TRANSACTIONS, whole } from "../parts/feed.js";
import { isTyping } from "../parts/frame.js";
import { kindHref, kindTabs } from "../parts/kinds.js";
import { empty, loading, trouble } from "../parts/state.js";
import { table } from "../parts/table.js";
import { texts } from "../texts.js";

/** @typedef {import("../app.js").Context} Context */

const T = texts.blocks;
const PAGE = 50;
const SHOWN_MAX = 1_000;
const AGAIN_MS = 1_000;
const OWN = ["type", "granularity", "operation", "asset", "owner"];

/** @param {Context} context */
export async function screen(context) {
  const areAssets = isAssets(context);
  context.title(areAssets ? T.assets : T.title);
  const given = Object.fromEntries([...context.query].filter(([name, value]) => value && isFilter(name)));
  const filters = areAssets ? { ...given, granularity: "transaction", operation: "CREATE" } : given;
  const isEach = filters.granularity === "transaction";
  const columns = areAssets ? ASSETS : isEach ? TRANSACTIONS : BLOCKS;
  const list = table(T.caption, columns, keyOf, { classOf, whole });
  const foot = el("div", { class: "foot" });
  const place = el("section", { class: "card flush" }, loading(8));
  context.main.append(filterForm(given, areAssets), place);
  walkByKeys(context, list.body);
  await fillList(context, filters, list, place, foot);
}

/** @param {string} name */
function isFilter(name) {
  return OWN.includes(name) || /^(metadata|data)\./.test(name);
}

/**
 * @param {Context} context
 * @param {Record<string, string>} filters
 * @param {ReturnType<typeof table<import("../parts/feed.js").Entry>>} list
 * @param {HTMLElement} place
 * @param {HTMLElement} foot
 */
async function fillList(context, filters, list, place, foot) {
  const feed = new Feed(SHOWN_MAX);
  const detail = isAssets(context) ? "full" : "summary"; // only so are names of assets there
  let next = "now";

  const draw = () => {
    list.show(feed.rows);
    if (feed.rows.length > 0 && !list.node.isConnected) fill(place, list.node, foot);
  };
  const older = async () => {
    const before = next;
    const { value, problem } = await get("events", { ...filters, before, limit: PAGE, detail }, context.signal);
    if (context.signal.aborted) return;
    if (problem !== null) {
      fill(before === "now" ? place : foot, trouble(problem, older));
      return;
    }
    next = value.next;
    feed.rows = before === "now" ? value.events : [...feed.rows, ...value.events].slice(0, SHOWN_MAX);
    draw();
    fill(foot, feed.rows.length < SHOWN_MAX ? ending(context, value, older) : el("p", { class: "dim" }, T.most));
    if (feed.rows.length === 0) fill(place, nothing(context), foot);
    if (before === "now") context.live.follow(filters, value.live, detail === "full" ? again : came, context.signal);
  };
  /** @type {import("../live.js").Handler} */
  const came = (events, skipped) => {
    feed.add(events, skipped);
    draw();
  };
  let isWaiting = false;
  const again = () => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      next = "now";
      older();
    }, AGAIN_MS);
  };
  await older();
}

/**
 * What follows the rows: the beginning of the log, or a button, and how far a filter has looked.
 * @param {Context} context
 * @param {{ end: boolean, next: string, events: unknown[] }} page
 * @param {() => void} older
 */
function ending(context, { end, next, events }, older) {
  if (end) return events.length > 0 ? el("p", { class: "dim" }, T.end) : null;
  const looked = el("p", { class: "dim" });
  const tell = async () => {
    const { value } = await get("events", { before: next, limit: 1, detail: "summary" }, context.signal);
    const [there] = value?.events ?? [];
    if (there) fill(looked, T.looked(utc(seconds(there.time))));
  };
  if (events.length < PAGE) tell();
  return [looked, el("button", { type: "button", class: "button", onclick: older }, texts.older)];
}

/** @param {Context} context */
function nothing(context) {
  if ([...context.query].length > 0) return empty(T.noneFiltered);
  return empty(isAssets(context) ? T.noAsset : T.none, el("p", null, T.noneText));
}

/** @param {Context} context */
const isAssets = ({ main }) => main.dataset.screen === "assets";

/**
 * @param {Record<string, string>} given
 * @param {boolean} areAssets
 */
function filterForm(given, areAssets) {
  const chosen = given.granularity === "transaction" ? "transaction" : (given.type ?? "all");
  const base = areAssets ? "#/assets" : "#/blocks";
  const asset = field("asset", T.asset, given.asset);
  const owner = field("owner", T.ownerKey, given.owner);
  const form = el("form", { class: "filters" });
  form.append(
    ...(areAssets ? [] : [kindTabs(chosen, given), asset.label]),
    owner.label,
    el("button", { class: "button" }, T.apply),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = kindHref(base, chosen, { ...given, asset: asset.input.value, owner: owner.input.value });
  });
  return form;
}

/**
 * @param {string} name
 * @param {string} title
 * @param {string} [value]
 */
function field(name, title, value = "") {
  const input = el("input", { name, autocomplete: "off", spellcheck: "false", placeholder: title });
  input.value = value;
  return { input, label: el("label", null, el("span", { class: "sr" }, title), input) };
}

/**
 * `j` and `k` move through the rows, Enter opens the one that has the focus.
 * @param {Context} context
 * @param {HTMLElement} body
 */
function walkByKeys(context, body) {
  const walk = (/** @type {KeyboardEvent} */ event) => {
    if (isTyping(event) || !["j", "k"].includes(event.key)) return;
    const rows = /** @type {HTMLElement[]} */ ([...body.children]);
    const now = rows.findIndex((row) => row.contains(document.activeElement));
    const row = rows[event.key === "j" ? Math.min(now + 1, rows.length - 1) : Math.max(now - 1, 0)];
    /** @type {HTMLElement | null | undefined} */ (row?.querySelector("a.open, .open-in a"))?.focus();
  };
  addEventListener("keydown", walk, { signal: context.signal });
}
