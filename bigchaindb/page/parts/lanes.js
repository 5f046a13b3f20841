// The lanes of the overview: who follows the log, and how far each is behind.

import { get } from "../api.js";
import { el, fill } from "../dom.js";
import { number, rate } from "../format.js";
import { texts } from "../texts.js";
import { sparkline } from "./sparkline.js";
import { empty, loading, state, trouble } from "./state.js";
import { table } from "./table.js";

/** @typedef {import("./state.js").Mood} Mood */
/** @typedef {{ name: string, state: string, lag: number, cursor?: number, kind: string }} Lane */
/** @typedef {{ at: number, settled: number, rates: number[], spark: ReturnType<typeof sparkline>, now: HTMLElement }} Track */

const T = texts.overview;
const KEPT = 20;
/** @type {Record<string, Mood>} */
export const MOODS = {
  LIVE: "good",
  CATCHING_UP: "busy",
  STARTING: "busy",
  BACKOFF: "warn",
  PAUSED: "off",
  STOPPED: "off",
  PARKING: "warn",
  GAPPED: "bad",
  FAILED: "bad",
};

/** @param {import("../app.js").Context} context */
export function lanesTable(context) {
  const node = el("div", null, loading(3));
  /** @type {Map<string, Track>} */
  const tracks = new Map();
  const list = table(
    T.delivery,
    /** @type {import("./table.js").Column<Lane>[]} */ ([
      {
        title: T.lane.name,
        kind: "main",
        cell: ({ name }) => el("a", { href: `#/delivery/${encodeURIComponent(name)}` }, name),
      },
      { title: T.lane.state, cell: (lane) => state(MOODS[lane.state] ?? "off", lane.state) },
      { title: T.lane.lag, kind: "number", cell: ({ lag }) => number(lag) },
      {
        title: T.lane.rate,
        kind: "number",
        cell: ({ name }) => [tracks.get(name)?.spark.node, " ", tracks.get(name)?.now],
      },
    ]),
    ({ name, state: word, lag }) => `${name} ${word} ${lag}`,
  );
  const update = async () => {
    const { value, problem } = await get("plugins", {}, context.signal);
    if (context.signal.aborted) return;
    if (problem !== null) fill(node, trouble(problem, update));
    else if (value.length === 0) fill(node, empty(T.noLanes));
    else {
      for (const lane of value) follow(tracks, lane);
      list.show(value);
      if (!list.node.isConnected) fill(node, list.node);
    }
  };
  return { node, update };
}

/**
 * @param {Map<string, Track>} tracks
 * @param {Lane} lane
 */
function follow(tracks, lane) {
  const at = performance.now() / 1000;
  const settled = lane.cursor ?? -lane.lag;
  const track = tracks.get(lane.name);
  if (!track) {
    const spark = sparkline(`${T.lane.rate}: ${lane.name}`, KEPT);
    tracks.set(lane.name, { at, settled, rates: [], spark, now: el("span") });
    return;
  }
  track.rates.push(Math.max(0, settled - track.settled) / Math.max(0.001, at - track.at));
  track.rates.splice(0, track.rates.length - KEPT);
  Object.assign(track, { at, settled });
  track.spark.show(track.rates);
  fill(track.now, `${rate(track.rates.at(-1) ?? 0)}/s`);
}
