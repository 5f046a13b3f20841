// The log, newest first: blocks, or transactions, or the CREATEs of assets; by kind, asset and owner.

import { get } from "../api.js";
import { el, fill } from "../dom.js";
import { seconds, utc } from "../format.js";
import { ASSETS, BLOCKS, classOf, Feed, keyOf, TRANSACTIONS, whole } from "../parts/feed.js";
import { isTyping } from "../parts/frame.js";
import { kindHref, kindTabs } from "../parts/kinds.js";
import { paged } from "../parts/paged.js";
import { empty } from "../parts/state.js";
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
  context.main.append(filterForm(given, areAssets), el("section", { class: "card" }, entries(context, filters, list)));
  walkByKeys(context, list.body);
}

/** @param {string} name */
function isFilter(name) {
  return OWN.includes(name) || /^(metadata|data)\./.test(name);
}

/**
 * @param {Context} context
 * @param {Record<string, string>} filters
 * @param {ReturnType<typeof table<import("../parts/feed.js").Entry>>} list
 */
function entries(context, filters, list) {
  const { signal, live } = context;
  const feed = new Feed(SHOWN_MAX);
  const isWhole = isAssets(context); // only so are names of assets there
  const question = { ...filters, limit: PAGE, detail: isWhole ? "full" : "summary" };
  let seen = "";
  let isWaiting = false;

  const drawn = () => {
    list.show(feed.rows);
    return feed.rows.length > 0 ? list.node : nothing(context);
  };
  /** @type {import("../live.js").Handler} */
  const came = (events, skipped) => {
    feed.add(events, skipped);
    pages.put(drawn());
  };
  // The stream brings summaries: what came is read once more.
  const wait = () => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(readNew, AGAIN_MS);
  };
  const readNew = async () => {
    isWaiting = false;
    const after = seen;
    const { value, problem } = await get("events", { ...question, before: "now", after }, signal);
    if (signal.aborted || problem !== null || seen !== after) return;
    if (!value.end) return pages.renew();
    seen = value.live;
    feed.rows = [...value.events, ...feed.rows].slice(0, SHOWN_MAX);
    pages.put(drawn());
  };
  const pages = paged(
    signal,
    "events",
    question,
    (page, isFirst) => {
      feed.rows = isFirst ? page.events : [...feed.rows, ...page.events].slice(0, SHOWN_MAX);
      return drawn();
    },
    {
      rowsMax: SHOWN_MAX,
      remark: (page) => remark(context, page, feed.rows.length),
      follow: (token) => {
        seen = token;
        live.follow(filters, token, isWhole ? wait : came, signal);
      },
    },
  );
  return pages.node;
}

/**
 * What stands below the rows: that the log begins here, or how far a filter has looked.
 * @param {Context} context
 * @param {{ end: boolean, next: string, events: unknown[] }} page
 * @param {number} count of rows
 */
function remark({ signal }, { end, next, events }, count) {
  if (end) return count > 0 && count < SHOWN_MAX && el("p", { class: "dim" }, T.end);
  if (events.length >= PAGE) return null;
  const looked = el("p", { class: "dim" });
  get("events", { before: next, limit: 1, detail: "summary" }, signal).then(({ value }) => {
    const [there] = value?.events ?? [];
    if (there) fill(looked, T.looked(utc(seconds(there.time))));
  });
  return looked;
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
