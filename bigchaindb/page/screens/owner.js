// One owner: balances, what can be spent, and what happened.
//
// An index has the outputs at once, while adding balances up may take seconds: the first page of outputs decides whether
// there is a screen, and balances and history have their own places, refusals and ways out.

import { get } from "../api.js";
import { button, el, fill } from "../dom.js";
import { atLeast, counted, number, seconds } from "../format.js";
import { total } from "../parts/flow.js";
import { assetId, copying, owner, id as shownId, transactionId } from "../parts/id.js";
import { paged } from "../parts/paged.js";
import { save } from "../parts/proof.js";
import { answered, card, facts } from "../parts/section.js";
import { table } from "../parts/table.js";
import { ago } from "../parts/time.js";
import { texts } from "../texts.js";

/** @typedef {import("../app.js").Context} Context */
/** @typedef {import("../live.js").CloudEvent} CloudEvent */
/** @typedef {{ asset_id: string, amount: string, shared_amount: string, output_count: number }} Balance */
/**
 * @typedef {{ transaction_id: string, output_index: number, amount: string, asset_id: string, public_keys: string[],
 *   condition: { details: unknown, uri: string }, height: number }} Output
 */

const T = texts.owner;
const PAGE = 100;
const OUTPUTS_MAX = 10_000;
const UNSPENT = { spent: false, limit: PAGE };

/** @param {Context} context */
export async function screen(context) {
  const { id, main, signal } = context;
  context.title(T.title);
  const path = `owners/${encodeURIComponent(id)}`;
  const read = () => get(`${path}/outputs`, UNSPENT, signal);
  const readSums = () => get(path, {}, signal);
  main.append(
    answered(signal, read, (first) => [
      el("section", { class: "card" }, el("p", null, shownId(id, { whole: true }))),
      el(
        "div",
        { class: "two even" },
        card(T.balances, answered(signal, readSums, balances)),
        unspent(context, path, first),
      ),
      history(context),
    ]),
  );
}

/** @param {{ balances: Balance[], complete: boolean, asset_count: number, unspent_count: number, as_of: number }} found */
function balances({ balances: all, complete, asset_count: assets, unspent_count: outputs, as_of: asOf }) {
  if (all.length === 0 && complete) return el("p", { class: "dim" }, T.holdsNothing);
  const shared = (/** @type {Balance} */ row) => (row.shared_amount === "0" ? texts.none : number(row.shared_amount));
  const list = table(
    T.balances,
    /** @type {import("../parts/table.js").Column<Balance>[]} */ ([
      { title: T.asset, kind: "main", cell: (row) => assetId(row.asset_id) },
      { title: T.amount, kind: "number", cell: (row) => number(row.amount) },
      { title: T.shared, kind: "number", cell: shared },
      { title: T.outputs, kind: "number", cell: (row) => number(row.output_count) },
    ]),
    (row) => row.asset_id,
  );
  list.show(all);
  const counts = facts([
    [T.assets, atLeast(assets, complete)],
    [T.unspentCount, atLeast(outputs, complete)],
    [T.asOf, number(asOf)],
  ]);
  return [counts, list.node, complete ? null : el("p", { class: "dim" }, T.incomplete)];
}

/** What can be spent, and the inputs that a driver makes of it. @param {Context} context @param {string} path @param {any} first */
function unspent({ signal, renew }, path, first) {
  /** @type {Output[]} */
  const outputs = [];
  const asInputs = () => JSON.stringify(outputs.map(inputOf), null, 2);
  const list = table(
    T.unspent,
    /** @type {import("../parts/table.js").Column<Output>[]} */ ([
      { title: T.output, kind: "main", cell: (row) => [transactionId(row.transaction_id), ` :${row.output_index}`] },
      { title: T.amount, kind: "number", cell: (row) => number(row.amount) },
      { title: T.asset, cell: (row) => assetId(row.asset_id) },
      { title: T.with, cell: (row) => withOthers(row.public_keys) },
    ]),
    (row) => `${row.transaction_id}:${row.output_index}`,
  );
  const tools = el("div", { class: "row" });
  const take = () => save("inputs.json", asInputs());
  const download = button(T.download, take);
  /** @param {{ outputs: Output[] }} page */
  const show = (page) => {
    outputs.push(...page.outputs);
    list.show(outputs);
    if (outputs.length === 0) return el("p", { class: "dim" }, T.nothingUnspent);
    if (tools.childElementCount === 0) fill(tools, copying(asInputs, T.copy, T.copy), download);
    return list.node;
  };
  const pages = paged(signal, `${path}/outputs`, UNSPENT, show, {
    begin: null,
    first,
    rowsMax: OUTPUTS_MAX,
    lost: renew,
  });
  return card(T.unspent, pages.node, tools);
}

/** @param {Output} output */
const inputOf = ({ transaction_id, output_index, public_keys, condition }) => ({
  fulfillment: condition.details,
  fulfills: { transaction_id, output_index },
  owners_before: public_keys,
});

/** @param {string[]} keys */
const withOthers = (keys) => (keys.length > 1 ? counted(keys.length, T.key) : T.alone);

/** @param {Context} context */
function history(context) {
  /** @type {CloudEvent[]} */
  const events = [];
  const list = table(
    T.history,
    /** @type {import("../parts/table.js").Column<CloudEvent>[]} */ ([
      { title: texts.blocks.operation, cell: ({ data }) => el("span", { class: "tag" }, data.operation) },
      { title: texts.blocks.id, kind: "main", cell: ({ data }) => transactionId(data.id) },
      { title: T.asset, cell: ({ data }) => assetId(data.asset.id ?? data.id) },
      { title: T.change, kind: "number", cell: ({ data }) => change(data, context.id) },
      { title: T.party, kind: "wide", cell: ({ data }) => parties(data, context.id) },
      { title: texts.blocks.age, cell: (event) => ago(seconds(event.time)) },
    ]),
    ({ data }) => data.id,
  );
  const question = { granularity: "transaction", owner: context.id, limit: PAGE };
  /** @param {{ events: CloudEvent[], end: boolean }} page */
  const show = (page) => {
    events.push(...page.events);
    list.show(events);
    return events.length > 0 ? list.node : el("p", { class: "dim" }, page.end ? T.noHistory : T.noneYet);
  };
  const pages = paged(context.signal, "events", question, show, { lost: context.renew });
  return card(T.history, pages.node);
}

/**
 * What a transaction changes for an owner: what came, and less what went if all that was spent was the owner's alone.
 * @param {any} data
 * @param {string} key
 */
function change({ operation, inputs, outputs }, key) {
  const isOwn = (/** @type {string[] | null} */ keys) => keys?.length === 1 && keys[0] === key;
  const came = total(outputs.filter((/** @type {any} */ { public_keys: keys }) => isOwn(keys)));
  const gave = inputs.filter((/** @type {any} */ { owners_before: keys }) => keys.includes(key));
  if (operation !== "TRANSFER" || gave.length === 0) return came > 0n ? `+${number(came)}` : T.sharedOnly;
  const isAlone = inputs.every((/** @type {any} */ { owners_before: keys }) => isOwn(keys));
  if (!isAlone) return T.together;
  const left = came - total(outputs);
  return left < 0n ? `−${number(-left)}` : "0";
}

/** @param {any} data @param {string} key */
function parties({ inputs, outputs }, key) {
  const keys = [
    ...inputs.flatMap((/** @type {any} */ one) => one.owners_before),
    ...outputs.flatMap((/** @type {any} */ one) => one.public_keys ?? []),
  ];
  const other = [...new Set(keys)].filter((one) => one !== key);
  if (other.length === 0) return texts.none;
  const rest = other.length - 2;
  return el(
    "span",
    { class: "row" },
    other.slice(0, 2).map(owner),
    rest > 0 && el("span", { class: "dim" }, `+ ${number(rest)}`),
  );
}
