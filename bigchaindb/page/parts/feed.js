// The newest entries of the log, as rows that blocks and transactions share; bounded, however fast they come.

import { el, fill, svg } from "../dom.js";
import { bytes, label, number, position, seconds } from "../format.js";
import { texts } from "../texts.js";
import { total } from "./flow.js";
import { assetId, id, owner, transactionId } from "./id.js";
import { state } from "./state.js";
import { ago } from "./time.js";

/** @typedef {import("../live.js").CloudEvent} CloudEvent */
/** @typedef {CloudEvent & { grouped?: number }} Entry `grouped`: stands for so many that are not shown */
/** @typedef {import("./table.js").Column<Entry>} Column */

const BURST_MAX = 12;
const ANNOUNCED_MS = 5_000;
const T = texts.blocks;

export class Feed {
  /** @type {Entry[]} newest first */
  rows = [];
  #max;
  #came = 0;
  #announcedAt = 0;

  /** @param {number} max */
  constructor(max) {
    this.#max = max;
  }

  /**
   * Put what came on top. What comes faster than 50 a second is grouped.
   * @param {readonly CloudEvent[]} events oldest first
   * @param {number} skipped
   */
  add(events, skipped) {
    const shown = events.slice(-BURST_MAX).reverse();
    const grouped = skipped + events.length - shown.length;
    const [first] = events;
    const group = grouped && first ? [{ ...first, id: `${first.id}+`, grouped }] : [];
    this.rows = [...shown, ...group, ...this.rows].slice(0, this.#max);
    this.#announce(events.length + skipped);
  }

  /**
   * Have a screen reader say how many came, not too often.
   * @param {number} count
   */
  #announce(count) {
    this.#came += count;
    if (Date.now() - this.#announcedAt < ANNOUNCED_MS) return;
    this.#announcedAt = Date.now();
    fill(document.getElementById("news") ?? el("p"), texts.live.came(this.#came));
    this.#came = 0;
  }
}

/** @param {Entry} entry */
export const keyOf = (entry) => entry.id;

/** @param {Entry} entry */
export const classOf = (entry) => (entry.grouped ? "group" : isInvalid(entry) ? "invalid" : "");

/** @param {Entry} entry */
export const isInvalid = (entry) => entry.data.reason !== null && entry.data.reason !== undefined;

/** @param {Entry} entry */
function blockHref(entry) {
  return isInvalid(entry) ? `#/invalid/${position(entry)}` : `#/blocks/${entry.data.height}`;
}

/** @param {unknown} reason the class of an error alone, or with its place */
function reasonOf(reason) {
  if (reason === null || typeof reason !== "object") return String(reason);
  const { class: name, index } = /** @type {{ class?: string, index?: number }} */ (reason);
  return index === undefined || index === null ? String(name) : `${name} at transactions[${index}]`;
}

/**
 * @param {string} title
 * @param {(entry: Entry) => import("../dom.js").Child} cell
 * @param {import("./table.js").Kind} [kind]
 * @returns {Column}
 */
const column = (title, cell, kind) => ({ title, kind, cell });

/** @param {Entry} entry */
const height = (entry) => el("a", { class: "open", href: blockHref(entry) }, number(entry.data.height));

/** @param {Entry} entry */
const decision = (entry) => (isInvalid(entry) ? state("bad", reasonOf(entry.data.reason)) : state("good", T.valid));

const headed = column(T.height, height, "main");
const age = column(T.age, (entry) => ago(seconds(entry.time)));

/** @param {Entry} entry */
export const whole = ({ grouped }) => (grouped ? el("em", { class: "dim" }, T.grouped(number(grouped))) : null);

/** @type {readonly Column[]} */
export const BLOCKS = [
  headed,
  age,
  column(T.decision, decision),
  column(T.transactions, (entry) => number(entry.data.transaction_count), "number"),
  column(T.size, (entry) => bytes(entry.data.bytes ?? 0), "number extra"),
  column(T.proposer, (entry) => owner(entry.data.node_pubkey)),
  column(T.id, (entry) => id(entry.data.id, { href: blockHref(entry) }), "extra"),
];

/** @type {readonly Column[]} */
export const BLOCKS_SHORT = [
  headed,
  age,
  column(T.decision, (entry) =>
    isInvalid(entry)
      ? state("bad", reasonOf(entry.data.reason))
      : state("good", `${number(entry.data.transaction_count)} tx`),
  ),
  column(T.proposer, (entry) => id(entry.data.node_pubkey, { copy: false }), "extra"),
  column(
    T.size,
    (entry) => [el("span", { class: "sr" }, bytes(entry.data.bytes ?? 0)), gauge(entry.data.bytes ?? 0)],
    "extra",
  ),
];

const identified = column(T.id, (entry) => el("span", { class: "open-in" }, transactionId(entry.data.id)), "main");
const ending = [
  column(T.amount, (entry) => number(total(entry.data.outputs)), "number"),
  column(T.owner, (entry) => owners(entry.data)),
  column(T.position, (entry) => `#${number(position(entry))}`, "number extra"),
];

/** @type {readonly Column[]} */
export const TRANSACTIONS = [
  identified,
  age,
  column(T.operation, (entry) => el("span", { class: "tag" }, entry.data.operation)),
  column(T.asset, (entry) => assetId(entry.data.asset_id)),
  ...ending,
];

/** @type {readonly Column[]} CREATEs in full */
export const ASSETS = [
  column(
    T.what,
    ({ data }) => el("a", { class: "open", href: `#/assets/${data.id}` }, label(data.asset.data) || texts.none),
    "main",
  ),
  column(T.id, (entry) => assetId(entry.data.id)),
  age,
  ...ending,
];

/** @param {{ outputs: { public_keys: string[] }[], output_count?: number }} data */
function owners({ outputs, output_count: count = outputs.length }) {
  const [first] = outputs[0]?.public_keys ?? [];
  return [first ? owner(first) : texts.none, count > 1 ? el("span", { class: "dim" }, ` + ${count - 1}`) : null];
}

/**
 * A bar whose length grows with the logarithm of a size up to 5 MiB.
 * @param {number} size
 */
function gauge(size) {
  const width = Math.max(2, Math.min(64, (Math.log2(1 + size / 256) / Math.log2(1 + 5 * 4096)) * 64));
  const bar = svg("rect", { width, height: 8, rx: 2 });
  return svg("svg", { class: "gauge", viewBox: "0 0 64 8", width: 64, height: 8, "aria-hidden": "true" }, bar);
}
