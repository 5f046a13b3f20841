// What a transaction spends and makes: inputs at the left, outputs at the right, their sum between them.

import { get } from "../api.js";
import { el, fill } from "../dom.js";
import { number } from "../format.js";
import { texts } from "../texts.js";
import { owner, transactionId } from "./id.js";
import { pieces } from "./pieces.js";
import { card } from "./section.js";
import { state } from "./state.js";

/** @typedef {{ transaction_id: string, output_index: number }} Ref */
/** @typedef {{ amount: string, public_keys: string[] | null, condition?: any }} Output */
/** @typedef {{ amount: string, output_index: number, spent_by: string | null }} Known what the node says of an output */

const T = texts.transaction;
const PIECE = 20;
const OWNERS = 3;
const SOURCES_MAX = 10;

/** Return the amount of some outputs together: amounts are digits, and never rounded. @param {{ amount: string }[]} outputs */
export const total = (outputs) => outputs.reduce((sum, { amount }) => sum + BigInt(amount), 0n);

/**
 * @param {import("../app.js").Context} context
 * @param {{ id: string, asset: { id?: string }, inputs: any[], outputs: Output[] }} transaction
 */
export function flow({ signal }, { id, asset, inputs, outputs }) {
  const assetId = asset.id ?? id;
  /** @type {Map<string, HTMLElement>} */
  const spending = new Map();
  /** @type {Map<string, HTMLElement>} */
  const amounts = new Map();
  const place = (/** @type {Map<string, HTMLElement>} */ places, /** @type {string} */ name) => {
    const made = el("span", { class: "known" });
    places.set(name, made);
    return made;
  };
  const spent = inputs.map(({ fulfills, owners_before: owners }) =>
    fulfills
      ? [refOf(fulfills), place(amounts, `${fulfills.transaction_id}:${fulfills.output_index}`), ownersOf(owners)]
      : [el("span", { class: "tag" }, T.created), ownersOf(owners)],
  );
  const made = outputs.map((output, index) => [
    el("span", { class: "dim" }, `:${index}`),
    el("strong", null, number(output.amount)),
    ownersOf(output.public_keys ?? [], thresholdOf(output)),
    place(spending, String(index)),
  ]);
  tell();
  return card(
    T.flow,
    el(
      "div",
      { class: "flows" },
      side(T.inputs, spent),
      el("div", { class: "sum" }, el("span", null, T.shares), el("strong", null, number(total(outputs)))),
      side(T.outputs, made),
    ),
  );

  async function tell() {
    for (const { output_index: index, spent_by: by } of await known(assetId, id, signal)) {
      const said =
        by === null ? state("good", T.unspent) : [el("span", { class: "dim" }, T.spentBy), transactionId(by)];
      const there = spending.get(String(index));
      if (there) fill(there, said);
    }
    const sources = new Set(inputs.flatMap(({ fulfills }) => fulfills?.transaction_id ?? []));
    for (const source of [...sources].slice(0, SOURCES_MAX)) {
      for (const { output_index: index, amount } of await known(assetId, source, signal)) {
        const there = amounts.get(`${source}:${index}`);
        if (there) fill(there, el("strong", null, number(amount)));
      }
    }
  }
}

/**
 * @param {string} asset
 * @param {string} transaction
 * @param {AbortSignal} signal
 * @returns {Promise<Known[]>} nothing, if the node does not say
 */
async function known(asset, transaction, signal) {
  const { value } = await get(`assets/${asset}/outputs`, { transaction, limit: 1_000 }, signal);
  return value?.outputs ?? [];
}

/** @param {string} title @param {import("../dom.js").Child[][]} lines */
function side(title, lines) {
  const list = el("ul", { "aria-label": title });
  const more = pieces(list, lines, (line) => el("li", null, line), PIECE, PIECE);
  return el("div", null, el("h3", null, title), list, more);
}

/** @param {Ref} ref */
const refOf = ({ transaction_id: id, output_index: index }) => [
  transactionId(id),
  el("span", { class: "dim" }, `:${index}`),
];

/** @param {string[]} keys @param {string | null} [threshold] @param {number} [count] of all keys, where some are left out */
export function ownersOf(keys, threshold = null, count = keys.length) {
  const rest = count - OWNERS;
  return el(
    "span",
    { class: "row" },
    keys.slice(0, OWNERS).map(owner),
    rest > 0 && el("span", { class: "dim" }, `+ ${number(rest)}`),
    threshold && el("span", { class: "tag" }, threshold),
  );
}

/** @param {Output} output */
function thresholdOf({ condition }) {
  const { threshold, subconditions } = condition?.details ?? {};
  return subconditions ? T.threshold(String(threshold), number(subconditions.length)) : null;
}
