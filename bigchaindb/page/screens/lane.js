// One lane: where it is, what keeps it, what it holds, what it gave up, and what a person can order.

import { get } from "../api.js";
import { el, fill } from "../dom.js";
import { counted, number, span } from "../format.js";
import { command } from "../parts/id.js";
import { flow, sentence, stateOf } from "../parts/lanes.js";
import { ordersOf } from "../parts/orders.js";
import { parkedOf } from "../parts/parked.js";
import { polled } from "../parts/polled.js";
import { rates } from "../parts/rates.js";
import { card, facts } from "../parts/section.js";
import { empty } from "../parts/state.js";
import { table } from "../parts/table.js";
import { ago } from "../parts/time.js";
import { texts } from "../texts.js";

/** @typedef {import("../app.js").Context} Context */
/** @typedef {import("../parts/lanes.js").Lane} Lane */
/** @typedef {{ consumer: string, name: string | null, in_hand: number }} Consumer */

const T = texts.lane;
const RUNNING = new Set(["LIVE", "CATCHING_UP"]);

/** @param {Context} context */
export async function screen(context) {
  const name = context.id;
  context.title(name);
  const rateNow = flow(name);
  const head = el("div", { class: "answered" });
  const figures = el("div");
  const error = el("div");
  const consumers = el("div");
  /** @type {ReturnType<typeof ordersOf> | undefined} */
  let orders;
  /** @type {ReturnType<typeof parkedOf> | undefined} */
  let parked;
  let shown = "";
  const place = el("div", { class: "answered" });
  const lane = polled(context, `plugins/${encodeURIComponent(name)}`, update, {
    missing: () => empty(T.missing, el("p", null, T.missingText)),
  });
  context.main.append(lane.node);

  /** @param {Lane} now */
  function update(now) {
    rates.note([now], performance.now() / 1000);
    if (!orders || !parked) {
      const may = context.may("operate") || (now.kind === "subscription" && context.may(`subscribe:${name}`));
      orders = ordersOf(context, name, may, lane.update);
      parked = parkedOf(context, name, may, orders);
      fill(place, el("section", { class: "card answered" }, head, figures, error, orders.node), consumers, parked.node);
    }
    // What a person may be reading or has the focus in is drawn anew only where it differs.
    const drawn = [now.state, now.since, now.last_error, now.error, now.error_at].join(" ");
    if (drawn !== shown) {
      fill(head, headOf(now));
      fill(error, errorOf(now));
    }
    shown = drawn;
    fill(figures, figuresOf(now, rateNow.node));
    rateNow.update();
    orders.update(now);
    parked.update(now);
    if (now.kind === "subscription") showConsumers(context, name, consumers);
    return place;
  }
}

/** @param {Lane} lane */
function headOf(lane) {
  const way = /** @type {Record<string, (name: string) => string>} */ (T.ways)[lane.state] ?? T.way;
  return [
    el(
      "div",
      { class: "row" },
      stateOf(lane),
      el("span", { class: "dim" }, T.since, " ", ago(lane.since)),
      el("span", { class: "tag" }, T.kinds[lane.kind]),
    ),
    el("p", null, sentence(lane)),
    command(way(lane.name)),
  ];
}

/**
 * @param {Lane} lane
 * @param {Element} rate
 */
function figuresOf(lane, rate) {
  const now = rates.now(lane.name);
  const left = now && lane.lag > 0 && RUNNING.has(lane.state) ? ` ${T.left(span(lane.lag / now))}` : "";
  const due = lane.next_attempt_at === null ? null : lane.next_attempt_at - Date.now() / 1000;
  const oldest = lane.in_hand > 0 ? ` ${T.oldest(span(lane.oldest_s))}` : "";
  return facts([
    [T.cursor, number(lane.cursor)],
    [T.lag, number(lane.lag) + left],
    [T.rate, rate],
    [T.inHand, counted(lane.in_hand, T.event) + oldest],
    [T.attempts, number(lane.attempts)],
    [T.next, due === null ? null : due > 0 ? T.in(span(due)) : texts.time.now],
  ]);
}

/** @param {Lane} lane */
function errorOf(lane) {
  if (lane.last_error === null) return null;
  const when = lane.error_at ? [" ", ago(lane.error_at)] : null;
  const title = lane.error === null ? T.past : T.error;
  return el(
    "div",
    { class: lane.error === null ? "notice" : "notice bad" },
    el("h2", null, title, when),
    el("p", null, lane.last_error),
    lane.error === null && el("p", { class: "dim" }, T.settledSince),
    lane.error_at === undefined && el("p", { class: "dim" }, T.classOnly),
  );
}

/**
 * @param {Context} context
 * @param {string} name
 * @param {HTMLElement} place
 */
async function showConsumers(context, name, place) {
  const { value } = await get(`subscriptions/${encodeURIComponent(name)}`, {}, context.signal);
  const text = JSON.stringify(value?.consumers ?? null);
  if (value === null || context.signal.aborted || place.dataset.shown === text) return;
  place.dataset.shown = text;
  const list = table(
    T.consumers,
    /** @type {import("../parts/table.js").Column<Consumer>[]} */ ([
      { title: T.consumer, kind: "main", cell: (one) => one.consumer },
      { title: T.label, cell: (one) => one.name ?? texts.none },
      { title: T.inHand, kind: "number", cell: (one) => number(one.in_hand) },
    ]),
    (one) => one.consumer,
  );
  list.show(value.consumers);
  fill(place, card(T.consumers, value.consumers.length > 0 ? list.node : el("p", null, T.noConsumers)));
}
