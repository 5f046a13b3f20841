// One block: a valid one by height or id, an invalid one by its position in the log, with the rule that refused it.

import { get } from "../api.js";
import { el } from "../dom.js";
import { number } from "../format.js";
import { blockFacts, eventOf, transactionsOf } from "../parts/block.js";
import { proofActions } from "../parts/proof.js";
import { answered } from "../parts/section.js";
import { empty, state } from "../parts/state.js";
import { texts } from "../texts.js";

/** @typedef {import("../app.js").Context} Context */
/** @typedef {import("../parts/block.js").Found} Found */

const T = texts.block;

/** @param {Context} context */
export async function screen(context) {
  const { id, main, signal } = context;
  const isInvalid = main.dataset.screen === "invalid";
  const part = encodeURIComponent(id);
  const read = () => get(isInvalid ? `events/${part}` : `blocks/${part}/event`, {}, signal);
  const missing = () => empty(T.missing, el("p", null, T.missingText));
  context.title(isInvalid ? texts.invalid.title : T.title(/^\d{1,18}$/.test(id) ? number(id) : ""));
  const show = (/** @type {Found} */ found) => {
    if (Boolean(found.event.data.reason) === isInvalid) return (isInvalid ? invalid : valid)(context, found);
    location.replace(isInvalid ? `#/blocks/${found.event.data.height}` : `#/invalid/${found.position}`);
    return null;
  };
  main.append(answered(signal, read, show, isInvalid ? {} : { missing }));
}

/** @param {Context} context @param {Found} found */
function valid(context, found) {
  const { id, height, block } = found.event.data;
  context.title(T.title(number(height)));
  const beside = el(
    "span",
    { class: "row" },
    state("good", texts.blocks.valid),
    el("a", { class: "button", rel: "prev", href: `#/blocks/${height - 1}` }, `‹ ${number(height - 1)}`),
    el("a", { class: "button", rel: "next", href: `#/blocks/${height + 1}` }, `${number(height + 1)} ›`),
  );
  return [
    el("div", { class: "row spread" }, beside, proofActions(context, `blocks/${height}/proof`, id)),
    el("section", { class: "card" }, blockFacts(found)),
    transactionsOf(block.transactions, T.transactions),
    eventOf(found),
  ];
}

/** @param {Context} context @param {Found} found */
function invalid(context, found) {
  const { id, height, block, reason } = found.event.data;
  const actions = proofActions(context, `events/${found.position}/proof`, id);
  const lead = el("p", { class: "dim" }, texts.invalid.lead);
  return [
    el("div", { class: "row spread" }, state("bad", texts.invalid.proposedFor(number(height))), actions),
    el("section", { class: "card" }, el("h2", null, String(reason)), lead, blockFacts(found)),
    transactionsOf(block.transactions, texts.invalid.content),
    eventOf(found),
  ];
}
