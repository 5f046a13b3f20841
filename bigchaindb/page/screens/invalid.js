// One invalid block, by its position in the log: what was proposed, and which rule refused it.

import { get } from "../api.js";
import { el } from "../dom.js";
import { number } from "../format.js";
import { blockFacts, eventOf, transactionsOf } from "../parts/block.js";
import { proofActions } from "../parts/proof.js";
import { answered } from "../parts/section.js";
import { state } from "../parts/state.js";
import { texts } from "../texts.js";

/** @typedef {import("../parts/block.js").Found} Found */

const T = texts.invalid;

/** @param {import("../app.js").Context} context */
export async function screen(context) {
  context.title(T.title);
  const read = () => get(`events/${encodeURIComponent(context.id)}`, {}, context.signal);
  context.main.append(answered(context.signal, read, (/** @type {Found} */ found) => shown(context, found)));
}

/**
 * @param {import("../app.js").Context} context
 * @param {Found} found
 */
function shown(context, found) {
  const { height, block, reason } = found.event.data;
  if (!reason) {
    location.replace(`#/blocks/${height}`);
    return null;
  }
  return [
    el(
      "div",
      { class: "row spread" },
      state("bad", T.proposedFor(number(height))),
      proofActions(context, `events/${found.position}/proof`, found.event.data.id),
    ),
    el(
      "section",
      { class: "card" },
      el("h2", null, String(reason)),
      el("p", { class: "dim" }, T.lead),
      blockFacts(found),
    ),
    transactionsOf(block.transactions, T.content),
    eventOf(found),
  ];
}
