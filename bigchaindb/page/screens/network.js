// This node among the others: whether it follows, who votes, and what is up for election.

import { get } from "../api.js";
import { el, fill } from "../dom.js";
import { number } from "../format.js";
import { blockId, id, owner, transactionId } from "../parts/id.js";
import { polled } from "../parts/polled.js";
import { card, facts } from "../parts/section.js";
import { state } from "../parts/state.js";
import { table } from "../parts/table.js";
import { texts } from "../texts.js";

/**
 * @typedef {{ public_key: string, power: number, connected: boolean, height: number | null, is_this_node: boolean }} Validator
 */
/**
 * @typedef {object} Network
 * @property {"solo" | "network"} kind
 * @property {string} chain_id
 * @property {string} standing
 * @property {number} height
 * @property {number | null} round
 * @property {Validator[]} validators
 * @property {number} peers_connected
 * @property {{ connected: number, total: number }} power
 * @property {string | null} genesis_hash
 */
/** @typedef {{ id: string, power: number, public_key: { value: string }, votes: number, node_id: string }} Election */

const T = texts.network;
const GOOD = new Set(["following", "deciding"]);
const BEHIND = 3;

/** @param {import("../app.js").Context} context */
export async function screen(context) {
  context.title(T.title);
  const head = el("section", { class: "card answered" });
  const elections = el("div");
  const body = el("div");
  let height = 0;
  const list = table(
    T.validators,
    /** @type {import("../parts/table.js").Column<Validator>[]} */ ([
      { title: T.validator, kind: "main", cell: (one) => [owner(one.public_key), one.is_this_node && tag(T.this)] },
      { title: T.power, kind: "number", cell: (one) => number(one.power) },
      { title: T.state, cell: (one) => standing(one, height) },
      { title: T.height, kind: "number", cell: (one) => (one.height === null ? texts.none : number(one.height)) },
    ]),
    (one) => JSON.stringify([one, height]),
  );
  const place = el("div", { class: "answered" }, head, body, elections);
  const found = polled(context, "network", (/** @type {Network} */ now) => {
    height = now.height;
    fill(head, headOf(now));
    list.show(now.validators);
    if (now.kind === "network" && body.childElementCount === 0) {
      fill(body, card(T.validators, list.node));
      showElections(context, elections);
    }
    return place;
  });
  context.main.append(found.node);
}

/** @param {Network} now */
function headOf(now) {
  const isSolo = now.kind === "solo";
  const says = /** @type {Record<string, string>} */ (T.standings)[now.standing] ?? "";
  return [
    el("p", null, state(GOOD.has(now.standing) ? "good" : "warn", now.standing)),
    el("p", null, isSolo ? T.soloText : says),
    !isSolo && el("p", null, T.decides(number(now.power.connected), number(now.power.total))),
    facts([
      [T.height, blockId(now.height)],
      [T.round, now.round === null ? null : number(now.round)],
      [T.peers, isSolo ? null : number(now.peers_connected)],
      [T.chain, id(now.chain_id, { whole: true })],
      [T.genesis, now.genesis_hash ? id(now.genesis_hash) : null],
    ]),
  ];
}

/**
 * @param {Validator} one
 * @param {number} height of this node
 */
function standing(one, height) {
  if (!one.connected && !one.is_this_node) return state("off", T.away);
  const behind = one.height === null ? 0 : height - one.height;
  return behind >= BEHIND ? state("warn", T.behind(number(behind))) : state("good", T.connected);
}

/** @param {string} text */
function tag(text) {
  return [" ", el("span", { class: "tag" }, text)];
}

/**
 * @param {import("../app.js").Context} context
 * @param {HTMLElement} place
 */
async function showElections(context, place) {
  const { value } = await get("elections", {}, context.signal);
  if (!value || context.signal.aborted) return;
  const list = table(
    T.elections,
    /** @type {import("../parts/table.js").Column<Election>[]} */ ([
      { title: T.election, kind: "main", cell: (one) => transactionId(one.id) },
      { title: T.validator, cell: (one) => id(one.public_key.value) },
      { title: T.newPower, kind: "number", cell: (one) => number(one.power) },
      { title: T.votes, kind: "number", cell: (one) => number(one.votes) },
    ]),
    (one) => one.id,
  );
  list.show(value);
  fill(place, card(T.elections, value.length > 0 ? list.node : el("p", { class: "dim" }, T.noElections)));
}
