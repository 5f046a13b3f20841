// One valid block, by height or id.

import { get } from "../api.js";
import { el } from "../dom.js";
import { number } from "../format.js";
import { blockFacts, eventOf, transactionsOf } from "../parts/block.js";
import { proofActions } from "../parts/proof.js";
import { answered } from "../parts/section.js";
import { empty, state } from "../parts/state.js";
import { texts } from "../texts.js";

/** @typedef {import("../parts/block.js").Found} Found */

const T = texts.block;

/** @param {import("../app.js").Context} context */
export async function screen(context) {
  context.title(T.title(/^\d{1,18}$/.test(context.id) ? number(context.id) : ""));
  const read = () => get(`blocks/${encodeURIComponent(context.id)}/event`, {}, context.signal);
  const missing = () => empty(T.missing, el("p", null, T.missingText));
  context.main.append(
    answered(context.signal, read, (/** @type {Found} */ found) => shown(context, found), { missing }),
  );
}

/**
 * @param {import("../app.js").Context} context
 * @param {Found} found
 */
function shown(context, found) {
  const { height, block, reason } = found.event.data;
  if (reason) {
    location.replace(`#/invalid/${found.position}`);
    return null;
  }
  context.title(T.title(number(height)));
  return [
    el(
      "div",
      { class: "row spread" },
      el(
        "span",
        { class: "row" },
        state("good", texts.blocks.valid),
        el("a", { class: "button", rel: "prev", href: `#/blocks/${height - 1}` }, `‹ ${number(height - 1)}`),
        el("a", { class: "button", rel: "next", href: `#/blocks/${height + 1}` }, `${number(height + 1)} ›`),
      ),
      proofActions(context, `blocks/${height}/proof`, found.event.data.id),
    ),
    el("section", { class: "card" }, blockFacts(found)),
    transactionsOf(block.transactions, T.transactions),
    eventOf(found),
  ];
}
