// Lanes in a table: who follows the log, and how far each is behind. The cells are filled anew, the rows stay.

import { el, fill } from "../dom.js";
import { number, rate } from "../format.js";
import { texts } from "../texts.js";
import { command } from "./id.js";
import { polled } from "./polled.js";
import { rates } from "./rates.js";
import { sparkline } from "./sparkline.js";
import { empty, quoted, state } from "./state.js";
import { table } from "./table.js";

/** @typedef {import("./state.js").Mood} Mood */
/**
 * @typedef {object} Lane
 * @property {string} name
 * @property {"plugin" | "subscription"} kind
 * @property {string} state
 * @property {number} since
 * @property {number} cursor
 * @property {number} lag
 * @property {number} in_hand
 * @property {number} oldest_s
 * @property {number} attempts
 * @property {number} parked
 * @property {string | null} error what keeps it
 * @property {string | null} last_error
 * @property {number | null} [error_at]
 * @property {number | null} next_attempt_at
 */

const T = texts.lane;
const BARS = 24;
const SHOWN_MAX = 200;
const URGENT = ["bad", "warn", "busy", "good", "off"];
/** @type {Record<string, Mood>} */
const MOODS = {
  LIVE: "good",
  CATCHING_UP: "busy",
  STARTING: "busy",
  BACKOFF: "warn",
  PAUSED: "off",
  STOPPED: "off",
  DISABLED: "off",
  BLOCKED: "bad",
  GAPPED: "bad",
  FAILED: "bad",
};

/** @param {Lane} lane */
export function stateOf(lane) {
  return state(MOODS[lane.state] ?? "off", lane.state);
}

/**
 * Return what a state means; words between backticks are code.
 * @param {Lane} lane
 */
export function sentence({ kind, state }) {
  const own = kind === "subscription" ? T.ofSubscription : {};
  const text = /** @type {Record<string, string>} */ ({ ...T.states, ...own })[state] ?? "";
  return quoted(text);
}

/** @param {string} name */
export function flow(name) {
  const spark = sparkline(T.rateOf(name), BARS);
  const now = el("span");
  const update = () => {
    spark.show(rates.bars(name, BARS));
    const found = rates.now(name);
    fill(now, found === null ? texts.none : T.perSecond(rate(found)));
  };
  return { node: el("span", { class: "rate" }, spark.node, now), update };
}

/**
 * @param {import("../app.js").Context} context
 * @param {boolean} isWhole whether to show what is in hand, parked and failed as well
 */
export function lanesTable(context, isWhole = false) {
  /** @type {Map<string, ReturnType<typeof cells>>} */
  const made = new Map();
  /** @param {keyof ReturnType<typeof cells>["nodes"]} part */
  const cell = (part) => (/** @type {Lane} */ lane) => {
    const one = made.get(lane.name) ?? cells(lane.name);
    made.set(lane.name, one);
    return one.nodes[part];
  };
  /** @type {import("./table.js").Column<Lane>[]} */
  const columns = [
    { title: T.name, kind: "main", cell: cell("name") },
    { title: T.state, cell: cell("state") },
    { title: T.lag, kind: "number", cell: cell("lag") },
    { title: T.rate, kind: "number", cell: cell("rate") },
  ];
  if (isWhole) {
    columns.push(
      { title: T.inHand, kind: "number", cell: cell("inHand") },
      { title: T.parked, kind: "number", cell: cell("parked") },
      { title: T.meaning, kind: "wide", cell: cell("meaning") },
    );
  }
  const list = table(texts.delivery.title, columns, ({ name, kind }) => `${kind} ${name}`);
  const none = nobody();
  const more = el("p", { class: "dim" });
  const place = el("div", null, list.node, more, none);
  return polled(context, "plugins", (/** @type {Lane[]} */ lanes) => {
    rates.note(lanes, performance.now() / 1000);
    const shown = lanes.length > SHOWN_MAX ? lanes.toSorted((a, b) => rank(a) - rank(b)).slice(0, SHOWN_MAX) : lanes;
    list.show(shown);
    fill(more, shown.length < lanes.length && T.first(SHOWN_MAX, number(lanes.length)));
    for (const lane of shown) made.get(lane.name)?.update(lane);
    list.node.hidden = lanes.length === 0;
    none.hidden = lanes.length > 0;
    return place;
  });
}

/**
 * What a person looks for first where there are more lanes than a table can show.
 * @param {Lane} lane
 */
function rank({ state, parked }) {
  return parked > 0 ? 1 : URGENT.indexOf(MOODS[state] ?? "off");
}

/** @param {string} name */
function cells(name) {
  const rateNow = flow(name);
  const kind = el("span", { class: "tag" });
  const nodes = {
    name: el("span", { class: "row lane" }, el("a", { href: `#/delivery/${encodeURIComponent(name)}` }, name), kind),
    state: el("span"),
    lag: el("span"),
    rate: rateNow.node,
    inHand: el("span"),
    parked: el("span"),
    meaning: el("span", { class: "dim" }),
  };
  /** @param {Lane} lane */
  const update = (lane) => {
    fill(kind, T.kinds[lane.kind]);
    if (nodes.state.dataset.state !== lane.state) fill(nodes.state, stateOf(lane));
    nodes.state.dataset.state = lane.state;
    fill(nodes.lag, number(lane.lag));
    fill(nodes.inHand, number(lane.in_hand));
    fill(nodes.parked, lane.parked > 0 ? state("warn", number(lane.parked)) : number(0));
    fill(nodes.meaning, lane.error && state("bad", lane.error), lane.error && " ", sentence(lane));
    rateNow.update();
  };
  return { nodes, update };
}

function nobody() {
  return empty(texts.delivery.none, el("p", null, texts.delivery.noneText), texts.delivery.first.map(command));
}
