// What a block's event tells, of a valid block and of an invalid one alike.

import { address } from "../api.js";
import { button, el, fill } from "../dom.js";
import { byteCount, bytes, counted, number, seconds, utc } from "../format.js";
import { texts } from "../texts.js";
import { assetId, command, copying, id, owner, transactionId } from "./id.js";
import { card, facts } from "./section.js";
import { table } from "./table.js";
import { ago } from "./time.js";
import { tree } from "./tree.js";

/** @typedef {{ event: import("../live.js").CloudEvent, position: number, index: number | null, token: string }} Found */

const T = texts.block;
const PIECE = 50;

/** @param {Found} found */
export function blockFacts({ event, position }) {
  const { id: hash, block } = event.data;
  const at = seconds(block.timestamp);
  return facts([
    [T.decided, [ago(at), el("span", { class: "dim" }, ` ${utc(at)}`)]],
    [T.position, `#${number(position)}`],
    [T.size, bytes(byteCount(JSON.stringify(event.data)))],
    [T.proposer, owner(block.node_pubkey)],
    [T.voters, el("span", { class: "row" }, block.voters.map(owner))],
    [T.hash, id(hash)],
  ]);
}

/**
 * @param {any[]} transactions
 * @param {string} title
 */
export function transactionsOf(transactions, title) {
  const list = table(
    title,
    /** @type {import("./table.js").Column<any>[]} */ ([
      { title: texts.block.number, cell: (row) => number(transactions.indexOf(row)) },
      { title: texts.blocks.id, kind: "main", cell: (row) => named(transactionId, row.id) },
      {
        title: texts.blocks.operation,
        cell: (row) => el("span", { class: "tag" }, String(row.operation ?? texts.none)),
      },
      { title: texts.blocks.asset, cell: (row) => named(assetId, row.asset?.id ?? row.id) },
      { title: T.outputs, kind: "wide", cell: (row) => outputs(Array.isArray(row.outputs) ? row.outputs : []) },
    ]),
    (row) => String(transactions.indexOf(row)), // one may stand twice in an invalid block
  );
  const foot = el("div", { class: "foot" });
  let shown = 0;
  const more = () => {
    shown += PIECE;
    list.show(transactions.slice(0, shown));
    const left = transactions.length - shown;
    fill(foot, left > 0 && button(T.more(number(left)), more));
  };
  more();
  return card(`${title} · ${counted(transactions.length, T.transaction)}`, [list.node, foot]);
}

/**
 * Return a link, if there is something to name: what an invalid block holds may have any form.
 * @param {(value: string) => import("../dom.js").Child} link
 * @param {unknown} value
 */
const named = (link, value) => (typeof value === "string" && value ? link(value) : texts.none);

/** @param {any[]} all */
function outputs(all) {
  const shown = all
    .slice(0, 2)
    .map((output) =>
      el(
        "span",
        { class: "output" },
        number(output?.amount ?? texts.none),
        " → ",
        named(owner, output?.public_keys?.[0]),
      ),
    );
  return el(
    "span",
    { class: "row" },
    shown,
    all.length > 2 ? el("span", { class: "dim" }, `+ ${all.length - 2}`) : null,
  );
}

/**
 * The event as it stands in the log, and how to follow the log from here.
 * @param {Found} found
 */
export function eventOf({ event, token }) {
  const url = new URL(address("events", { after: token }), document.baseURI).href.replace(/#.*/, "");
  const line = `curl -N -H 'Accept: text/event-stream' '${url}'`;
  return card(
    T.event,
    [command(line), tree(event)],
    copying(() => JSON.stringify(event), T.copyEvent, T.copyEvent),
  );
}
