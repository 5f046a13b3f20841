// Transactions that this node accepted and rejected later, with the rule that each broke.

import { get } from "../api.js";
import { el, fill } from "../dom.js";
import { seconds } from "../format.js";
import { id, transactionId } from "../parts/id.js";
import { kindTabs } from "../parts/kinds.js";
import { empty, loading, state, trouble } from "../parts/state.js";
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
  const foot = el("div", { class: "foot" });
  const place = el("section", { class: "card" }, loading(6));
  context.main.append(kindTabs("rejected"), el("p", { class: "dim" }, T.lead), place);
  /** @type {CloudEvent[]} */
  let rows = [];
  /** @type {string | null} */
  let next = null;
  const newer = async () => {
    const { value, problem } = await get("rejected", { after: next, limit: PAGE }, context.signal);
    if (context.signal.aborted) return;
    if (problem !== null) {
      fill(rows.length > 0 ? foot : place, trouble(problem, newer));
      return;
    }
    next = value.next;
    rows = [...rows, ...value.events];
    if (rows.length === 0 && value.head) fill(place, empty(T.none, el("p", null, T.noneText)));
    else if (!list.node.isConnected) fill(place, list.node, foot);
    list.show(rows);
    fill(foot, el("button", { type: "button", class: "button", onclick: newer }, value.head ? T.again : T.newer));
  };
  await newer();
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
