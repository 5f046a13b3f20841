// Orders to a lane. The node decides whether its state allows one; a refusal is shown in the node's words.

import { send } from "../api.js";
import { el, fill } from "../dom.js";
import { texts } from "../texts.js";
import { question } from "./dialog.js";
import { order } from "./order.js";

/** @typedef {import("./lanes.js").Lane} Lane */

const T = texts.lane;
/** @type {Record<string, readonly string[]>} */
const OFFERED = {
  LIVE: ["pause", "restart", "seek"],
  CATCHING_UP: ["pause", "restart", "seek"],
  STARTING: ["pause", "restart", "seek"],
  BACKOFF: ["tryNow", "pause", "seek"],
  STOPPED: ["pause", "restart", "seek"],
  PAUSED: ["resume", "seek"],
  BLOCKED: ["retryBlocked", "seek"],
  GAPPED: ["seek"],
  FAILED: ["restart", "seek"],
};

/**
 * @param {import("../app.js").Context} context
 * @param {string} name of the lane
 * @param {boolean} may whether the person has the rights; else there are no buttons
 * @param {() => Promise<void>} changed reads the lane anew
 */
export function ordersOf(context, name, may, changed) {
  const said = el("div", { role: "alert" });
  const row = el("div", { class: "row" });
  const node = el("div", { class: "orders" }, row, said);
  if (!may) fill(row, el("p", { class: "dim" }, T.noRights));
  let offered = "";

  /**
   * @param {string} what
   * @param {unknown} [body]
   */
  const give = async (what, body) => {
    fill(said);
    const { problem } = await send("POST", `plugins/${encodeURIComponent(name)}/${what}`, body, context.signal);
    if (context.signal.aborted) return;
    if (problem !== null) fill(said, el("p", { class: "refusal" }, problem.message));
    await changed();
  };
  const seek = async () => {
    const fields = [{ name: "place", label: T.place, hint: T.places, required: true }];
    const given = await question(T.seekTitle(name), T.seekText, { confirm: T.seek, danger: true, fields });
    if (given?.place) await give("seek", { place: given.place.trim() });
  };
  /** @type {Record<string, [string, () => Promise<void>]>} */
  const known = {
    pause: [T.pause, () => give("pause")],
    resume: [T.resume, () => give("resume")],
    tryNow: [T.tryNow, () => give("resume")],
    restart: [T.restart, () => give("restart")],
    retryBlocked: [T.retry, () => give("retry")],
    seek: [T.seekAsk, seek],
  };

  /** @param {Lane} lane */
  const update = (lane) => {
    if (!may || offered === lane.state) return;
    offered = lane.state;
    const found = (OFFERED[lane.state] ?? []).flatMap((what) => (known[what] ? [known[what]] : []));
    const hadFocus = row.contains(document.activeElement);
    fill(
      row,
      found.map(([label, run]) => order(context, label, run)),
    );
    if (hadFocus) row.querySelector("button")?.focus();
  };
  return { node, update, give };
}
