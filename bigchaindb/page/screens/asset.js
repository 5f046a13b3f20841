// One asset: what it is, who holds it, where it came from.
//
// An index knows whether there is such an asset, and has its transactions; adding up who holds it may take seconds.

import { get } from "../api.js";
import { button, el, fill } from "../dom.js";
import { atLeast, bytes, counted, label, number } from "../format.js";
import { ownersOf, total } from "../parts/flow.js";
import { id as shownId, transactionId } from "../parts/id.js";
import { paged } from "../parts/paged.js";
import { pieces } from "../parts/pieces.js";
import { COLUMNS, rowOf } from "../parts/provenance.js";
import { answered, card, facts } from "../parts/section.js";
import { empty } from "../parts/state.js";
import { table } from "../parts/table.js";
import { tree } from "../parts/tree.js";
import { getAsset, others } from "../parts/values.js";
import { follow } from "../provenance.js";
import { texts } from "../texts.js";

/** @typedef {import("../app.js").Context} Context */
/** @typedef {{ public_keys: string[], public_key_count: number, amount: string }} Holder */

const T = texts.asset;
const PAGE = 50;
const HOLDERS = 5;
const ROWS_MAX = 10_000;
/** @type {import("../parts/paged.js").Options} */
const OLDEST_FIRST = { way: "after", begin: null, more: T.later };

/** @param {Context} context */
export async function screen(context) {
  const { id, main, signal } = context;
  context.title(T.title);
  const read = () => get(`assets/${encodeURIComponent(id)}/outputs`, { limit: 1 }, signal);
  const missing = () => empty(T.missing, el("p", null, T.missingText), el("p", null, transactionId(id)));
  const readSums = () => getAsset(id, signal);
  const show = () => [
    el("section", { class: "card" }, el("p", null, shownId(id, { whole: true }))),
    answered(signal, readSums, (asset) => about(context, asset)),
    provenance(context, id),
  ];
  main.append(answered(signal, read, show, { missing }));
}

/** @param {Context} context @param {any} asset */
function about(context, asset) {
  const { id, data, amount, as_of: asOf, created_height: created } = asset;
  const name = label(data);
  if (name) context.title(name);
  const large =
    data === null && asset.data_bytes ? el("p", null, T.large(bytes(asset.data_bytes)), " ", transactionId(id)) : null;
  return [
    el(
      "section",
      { class: "card" },
      facts([
        [T.shares, number(amount)],
        [T.holders, atLeast(asset.holder_count, asset.complete)],
        [T.unspent, atLeast(asset.unspent_count, asset.complete)],
        [T.transactions, atLeast(asset.transaction_count, asset.complete)],
        [T.created, created === undefined ? null : el("a", { href: `#/blocks/${created}` }, number(created))],
        [T.asOf, asOf === undefined ? null : number(asOf)],
      ]),
    ),
    el(
      "div",
      { class: "two even" },
      card(T.data, large ?? (data === null ? el("p", { class: "dim" }, T.nothing) : tree(data, others("data")))),
      card(T.heldBy, holders(asset.holders, asset.complete)),
    ),
  ];
}

/** @param {Holder[]} all @param {boolean} isComplete */
function holders(all, isComplete) {
  const whole = total(all) || 1n;
  const list = el("ul", { class: "holders" });
  const line = (/** @type {Holder} */ { public_keys: keys, public_key_count: count, amount }) => {
    const value = Number((BigInt(amount) * 1000n) / whole);
    const share = el("progress", { max: 1000, value, "aria-label": T.share });
    return el("li", null, ownersOf(keys, null, count), share, el("strong", null, number(amount)));
  };
  const more = pieces(list, all, line, HOLDERS);
  return [list, more, isComplete ? null : el("p", { class: "dim" }, T.incomplete)];
}

/** @param {Context} context @param {string} id */
function provenance(context, id) {
  /** @type {import("../parts/provenance.js").Drawn[]} */
  const rows = [];
  const list = table(T.caption, COLUMNS, ({ event }) => event.id);
  const shown = el("div", { class: "provenance" }, list.node);
  const news = el("div", { role: "status" });
  const isOldest = context.query.get("order") === "oldest";
  const order = (/** @type {boolean} */ oldest, /** @type {string} */ text) =>
    el(
      "a",
      { href: `#/assets/${id}${oldest ? "?order=oldest" : ""}`, "aria-current": oldest === isOldest ? "true" : null },
      text,
    );
  /** @type {import("../provenance.js").Lanes} */
  let lanes = [];
  /** @param {{ events: import("../live.js").CloudEvent[] }} page */
  const show = ({ events }) => {
    const drawn = follow(events.map(rowOf), lanes, !isOldest);
    lanes = drawn.lanes;
    events.forEach((event, index) => {
      const strokes = drawn.strokes[index];
      if (strokes) rows.push({ event, strokes });
    });
    list.show(rows);
    return shown;
  };
  const question = { granularity: "transaction", asset: id };
  const watch = (/** @type {string} */ token) => {
    let count = 0;
    context.live.follow(
      question,
      token,
      (came, skipped) => {
        count += came.length + skipped;
        fill(news, el("p", { class: "row" }, T.came(counted(count, T.transaction)), button(T.show, context.renew)));
      },
      context.signal,
    );
  };
  const pages = paged(context.signal, "events", { ...question, limit: PAGE }, show, {
    rowsMax: ROWS_MAX,
    follow: watch,
    lost: context.renew,
    ...(isOldest ? OLDEST_FIRST : {}),
  });
  return card(
    T.provenance,
    [news, pages.node],
    el("nav", { class: "tabs", "aria-label": T.order }, order(true, T.oldest), order(false, T.newest)),
  );
}
