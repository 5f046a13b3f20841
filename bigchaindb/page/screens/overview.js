// Is it alive, what comes in, does everybody get it.

import { get } from "../api.js";
import { el, fill } from "../dom.js";
import { bytes, number, rate, seconds } from "../format.js";
import { BLOCKS_SHORT, classOf, Feed, keyOf, whole } from "../parts/feed.js";
import { command } from "../parts/id.js";
import { lanesTable } from "../parts/lanes.js";
import { card } from "../parts/section.js";
import { sparkline } from "../parts/sparkline.js";
import { empty, loading, trouble } from "../parts/state.js";
import { table } from "../parts/table.js";
import { ago } from "../parts/time.js";
import { texts } from "../texts.js";

/** @typedef {import("../app.js").Context} Context */

const T = texts.overview;
const ROWS = 20;
const POLL_MS = 2_000;
const KEPT = 60;
const DEMO = "bigchaindb demo";
const FIRST = [
  "bigchaindb keys new --output alice.json",
  `bigchaindb transactions create --key-file alice.json --asset '{"bicycle": {"serial": "abc-1"}}'`,
  "bigchaindb events tail",
];

/** @param {Context} context */
export async function screen(context) {
  context.title(T.title);
  const figures = el("dl", { class: "figures" });
  const spark = sparkline(T.rate, KEPT);
  const now = el("strong", null, texts.none);
  const flow = el("section", { class: "card flow", "aria-label": T.rate }, el("span", null, T.rate), spark.node, now);
  const blocks = el("div", null, loading(6));
  const lanes = lanesTable(context);
  const all = el("a", { href: "#/blocks" }, T.allBlocks);
  context.main.append(
    figures,
    flow,
    el(
      "div",
      { class: "two" },
      card(T.blocks, blocks, all),
      card(T.delivery, lanes.node, el("a", { href: "#/delivery" }, T.allLanes)),
    ),
  );
  /** @type {{ transactions: number, at: number } | null} */
  let last = null;
  /** @type {number[]} */
  const rates = [];
  const poll = async () => {
    if (document.hidden || context.live.state.kind === "broken") return;
    const { value } = await get("statistics", {}, context.signal);
    if (!value || context.signal.aborted) return;
    fill(figures, shownFigures(value));
    const at = performance.now() / 1000;
    if (last !== null) {
      rates.push(Math.max(0, value.transactions - last.transactions) / (at - last.at));
      rates.splice(0, rates.length - KEPT);
      spark.show(rates);
      fill(now, T.rateNow(rate(rates.at(-1) ?? 0)));
    }
    last = { transactions: value.transactions, at };
  };
  const timer = setInterval(poll, POLL_MS);
  context.signal.addEventListener("abort", () => clearInterval(timer));
  poll();
  await follow(context, blocks);
}

/** @param {any} value */
function shownFigures(value) {
  /** @type {[import("../dom.js").Child, string, (string | null)?][]} */
  const pairs = [
    [number(value.height), T.height],
    [number(value.transactions), T.transactions],
    [number(value.invalid_blocks), T.invalid, value.invalid_blocks > 0 ? "#/blocks?type=invalid" : null],
    [value.last_block_at ? ago(seconds(value.last_block_at)) : texts.none, T.last],
    [bytes(value.disk_free_bytes), T.disk],
  ];
  return pairs.map(([figure, name, href]) =>
    el("div", null, el("dt", null, name), el("dd", null, href ? el("a", { href }, figure) : figure)),
  );
}

/**
 * @param {Context} context
 * @param {HTMLElement} place
 */
async function follow(context, place) {
  const { value, problem } = await get("events", { before: "now", limit: ROWS, detail: "summary" }, context.signal);
  if (context.signal.aborted) return;
  if (problem !== null) {
    fill(place, trouble(problem, context.renew));
    return;
  }
  const feed = new Feed(ROWS);
  const list = table(T.blocks, BLOCKS_SHORT, keyOf, { classOf, whole, dense: true });
  feed.rows = value.events;
  const draw = () => {
    list.show(feed.rows);
    if (!list.node.isConnected) fill(place, feed.rows.length > 0 ? list.node : firstSteps());
  };
  draw();
  /** @type {import("../live.js").Handler} */
  const came = (events, skipped) => {
    feed.add(events, skipped);
    draw();
  };
  context.live.follow({}, value.live, came, context.signal);
}

function firstSteps() {
  return empty(T.emptyTitle, el("p", null, T.emptyText), FIRST.map(command), el("p", null, T.emptyDemo), command(DEMO));
}
