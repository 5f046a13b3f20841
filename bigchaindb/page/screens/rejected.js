// Transactions that this node accepted and rejected later, with the rule that each broke.

import { button, el } from "../dom.js";
import { seconds } from "../format.js";
import { id, transactionId } from "../parts/id.js";
import { kindTabs } from "../parts/kinds.js";
import { paged } from "../parts/paged.js";
import { empty, state } from "../parts/state.js";
import { table } from "../parts/table.js";
import { ago } from "../parts/time.js";
import { texts } from "../texts.js";

/** @typedef {import("../live.js").CloudEvent} CloudEvent */

const T = texts.rejected;
const PAGE = 50;
const ID = /([0-9a-f]{64})/;

/** @param {import("../app.js").Context} context */
export async function screen(context) {
  context.title(T.title);
  const list = table(
    T.caption,
    /** @type {import("../parts/table.js").Column<CloudEvent>[]} */ ([
      { title: T.transaction, kind: "main", cell: (row) => transactionId(row.subject) },
      { title: T.when, cell: (row) => ago(seconds(row.time)) },
      { title: T.rule, cell: (row) => state("bad", row.data.error) },
      { title: T.message, kind: "wide", cell: (row) => linked(row.data.message, row.subject) },
    ]),
    (row) => row.id,
  );
  /** @type {CloudEvent[]} */
  let rows = [];
  const pages = paged(context.signal, "rejected", { limit: PAGE }, (page, isFirst) => {
    rows = isFirst ? page.events : [...rows, ...page.events];
    list.show(rows);
    return rows.length > 0 ? list.node : empty(T.none, el("p", null, T.noneText));
  });
  const again = button(T.again, pages.renew);
  const head = el("div", { class: "row spread" }, el("p", { class: "dim" }, T.lead), again);
  context.main.append(kindTabs("rejected"), head, el("section", { class: "card" }, pages.node));
}

/**
 * A message whose ids are links: most name the transaction that came first.
 * @param {string} message
 * @param {string} own
 */
function linked(message, own) {
  return message.split(ID).map((part) => {
    if (!ID.test(part)) return part.replaceAll("`", "");
    return part === own ? id(part, { copy: false }) : transactionId(part);
  });
}
