// Events that a lane gave up: each to be delivered again, or discarded.

import { get } from "../api.js";
import { el, fill } from "../dom.js";
import { number } from "../format.js";
import { texts } from "../texts.js";
import { question } from "./dialog.js";
import { order } from "./order.js";
import { card } from "./section.js";
import { state, trouble } from "./state.js";
import { table } from "./table.js";
import { ago } from "./time.js";

/** @typedef {{ position: string, attempts: number, error: string, parked_at: number, returns: boolean }} Parked */

const T = texts.lane;
const SHOWN_MAX = 100;

/**
 * @param {import("../app.js").Context} context
 * @param {string} name of the lane
 * @param {boolean} may whether the person has the rights to read and to order
 * @param {{ give: (what: string, body?: unknown) => Promise<void> }} orders
 */
export function parkedOf(context, name, may, orders) {
  const place = el("div");
  const title = el("span");
  const retryAll = order(context, T.retryAll, () => orders.give("retry").then(read));
  const node = card(title, place, may && retryAll);
  let count = -1;
  const say = (/** @type {string} */ text) => fill(place, el("p", { class: "dim" }, text));

  const list = table(
    T.parked,
    /** @type {import("./table.js").Column<Parked>[]} */ ([
      { title: T.position, kind: "main", cell: (row) => event(row.position) },
      { title: T.error, kind: "wide", cell: (row) => row.error },
      { title: T.attempts, kind: "number", cell: (row) => number(row.attempts) },
      { title: T.parkedSince, cell: (row) => ago(row.parked_at) },
      { title: T.orders, cell: (row) => (row.returns ? state("busy", T.returns) : choices(row)) },
    ]),
    (row) => `${row.position} ${row.attempts} ${row.parked_at} ${row.returns}`,
  );

  /** @param {Parked} row */
  function choices({ position }) {
    const body = { positions: [position] };
    const discard = async () => {
      const text = T.discardText(name, number(position));
      if ((await question(T.discardTitle, text, { confirm: T.discard, danger: true })) === null) return;
      await orders.give("discard", body);
      await read();
    };
    return el(
      "span",
      { class: "row" },
      order(context, T.retry, () => orders.give("retry", body).then(read)),
      order(context, T.discardAsk, discard, { danger: true }),
    );
  }

  async function read() {
    const path = `plugins/${encodeURIComponent(name)}/parked`;
    const { value, problem } = await get(path, { limit: SHOWN_MAX }, context.signal);
    if (context.signal.aborted) return;
    list.show(value?.parked ?? []);
    if (problem !== null) fill(place, trouble(problem, read));
    else if (value.parked.length === 0) say(T.noneParked);
    else fill(place, list.node, value.next && el("p", { class: "dim" }, T.first(SHOWN_MAX, number(count))));
  }

  /** @param {import("./lanes.js").Lane} lane */
  const update = (lane) => {
    if (lane.parked === count) return;
    count = lane.parked;
    fill(title, T.parkedCount(number(count)));
    retryAll.hidden = count === 0;
    if (count > 0 && may) read();
    else say(count > 0 ? T.parkedRights : T.noneParked);
  };
  return { node, update };
}

/**
 * The event at a position, or the block of a transaction: `41:3`. That screen leads on to a block that is valid.
 * @param {string} position
 */
function event(position) {
  return el("a", { href: `#/invalid/${position.split(":")[0]}` }, number(position));
}
