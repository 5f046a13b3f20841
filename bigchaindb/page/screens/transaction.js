// One transaction, whether it is committed, waits, or was rejected: what it moves, what it says, its exact bytes.

import { get, getRead } from "../api.js";
import { button, el, fill } from "../dom.js";
import { byteCount, bytes, label, number, seconds } from "../format.js";
import { eventOf } from "../parts/block.js";
import { flow } from "../parts/flow.js";
import { assetId, copying, id as shownId } from "../parts/id.js";
import { save } from "../parts/proof.js";
import { card } from "../parts/section.js";
import { empty, loading, state, trouble } from "../parts/state.js";
import { ago } from "../parts/time.js";
import { tree } from "../parts/tree.js";
import { getAsset, others } from "../parts/values.js";
import { texts } from "../texts.js";
import { documentText, textOf } from "../verify/block.js";
import { checkedDocument, parse } from "../verify/json.js";
import { idOf, plain } from "../verify/transaction.js";

/** @typedef {import("../app.js").Context} Context */

const T = texts.transaction;
const AGAIN_MS = 1_000;
const SHOWN = 20_000;

/** @param {Context} context */
export async function screen(context) {
  context.title(T.title);
  const place = el("div", { class: "answered" }, loading(6));
  context.main.append(place);
  let said = "";
  const look = async () => {
    if (document.hidden && said) return again();
    const path = `transactions/${encodeURIComponent(context.id)}`;
    const { value, problem } = await getRead(path, context.signal, (body) => checkedDocument(parse(textOf(body))));
    if (context.signal.aborted) return;
    if (problem === null) return fill(place, committed(context, value));
    if (problem.status !== 404) return fill(place, trouble(problem, look));
    const words = await waiting(context);
    if (context.signal.aborted) return;
    if (said !== words.key) fill(place, words.shown);
    said = words.key;
    again();
  };
  const again = () => {
    const timer = setTimeout(look, AGAIN_MS);
    context.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  };
  await look();
}

/** What is known of a transaction that is not committed. @param {Context} context */
async function waiting({ id, signal }) {
  const { value, problem } = await get("statuses", { transaction_id: id }, signal);
  const name = el("p", null, shownId(id, { whole: true }));
  if (value) {
    const shown = [state("busy", T.pending(value.status)), name, el("p", { class: "dim" }, T.pendingText)];
    return { key: value.status, shown: el("section", { class: "notice" }, shown) };
  }
  const [, rule, message] = /^rejected \((\w+)\): (.*)$/s.exec(problem?.message ?? "") ?? [];
  if (rule === undefined) return { key: "missing", shown: empty(T.missing, name, el("p", null, T.missingText)) };
  const rejected = [
    state("bad", T.rejected(rule)),
    name,
    el("p", null, message),
    el("p", { class: "dim" }, T.rejectedText),
  ];
  return {
    key: `${rule} ${message}`,
    shown: el("section", { class: "notice" }, rejected, link("#/rejected", T.allRejected)),
  };
}

/** @param {string} href @param {string} text */
const link = (href, text) => el("p", null, el("a", { href }, text));

/** @param {Context} context @param {Map<string, any>} document */
function committed(context, document) {
  const text = documentText(document);
  const transaction = plain(document);
  const { id, operation, asset, metadata } = transaction;
  const place = el("span", { class: "row" });
  const event = el("div", { class: "answered" });
  const about = asset.id ?? id;
  const name = el("strong", null, label(asset.data));
  located(context, id, place, event);
  return [
    el(
      "section",
      { class: "card" },
      el("div", { class: "row" }, el("span", { class: "tag" }, operation), state("good", T.committed), place),
      el("p", null, shownId(id, { whole: true })),
      el("p", null, el("span", { class: "dim" }, T.asset, " "), assetId(about), " ", name),
    ),
    flow(context, transaction),
    el(
      "div",
      { class: "two even" },
      card(T.asset, asset.id ? inherited(context, asset.id, name) : said(asset.data, "data")),
      card(T.metadata, said(metadata, "metadata")),
    ),
    event,
    raw(id, text, idOf(document)),
  ];
}

/**
 * What a TRANSFER moves: the asset that another transaction created. Its name stands in the head as well.
 * @param {Context} context
 * @param {string} id
 * @param {HTMLElement} name
 */
function inherited({ signal }, id, name) {
  const place = el("div", null, el("p", null, T.inherited, " ", assetId(id)));
  getAsset(id, signal).then(({ value }) => {
    if (!value) return;
    fill(name, label(value.data));
    fill(place, el("p", null, el("strong", null, label(value.data)), " ", assetId(id)), said(value.data, "data"));
  });
  return place;
}

/** @param {unknown} value @param {"data" | "metadata"} family */
function said(value, family) {
  if (value === null || value === undefined) return el("p", { class: "dim" }, T.nothing);
  return tree(value, others(family));
}

/**
 * Say in which block it stands, and show its event.
 * @param {Context} context
 * @param {string} id
 * @param {HTMLElement} place
 * @param {HTMLElement} below
 */
async function located({ signal }, id, place, below) {
  const [blocks, found] = await Promise.all([
    get("blocks", { transaction_id: id }, signal),
    get(`transactions/${id}/event`, {}, signal),
  ]);
  const height = blocks.value?.at(-1);
  if (height !== undefined) fill(place, T.inBlock, el("a", { href: `#/blocks/${height}` }, number(height)));
  if (found.problem !== null) return;
  place.append(el("span", { class: "dim" }, " · "), ago(seconds(found.value.event.time)));
  fill(below, eventOf(found.value));
}

/** @param {string} id @param {string} text @param {string} computed */
function raw(id, text, computed) {
  const isRight = id === computed;
  const shown = el("pre", { tabindex: 0 }, text.slice(0, SHOWN));
  const rest = el("button", { type: "button", class: "link" }, texts.tree.rest(number(text.length - SHOWN)));
  rest.hidden = text.length <= SHOWN;
  rest.addEventListener("click", () => {
    fill(shown, text);
    rest.hidden = true;
  });
  const size = bytes(byteCount(text));
  const take = button(T.download, () => save(`${id}.json`, text));
  return card(
    T.raw,
    [
      el("p", { class: "wrapping" }, state(isRight ? "good" : "bad", isRight ? T.idRight(size) : T.idWrong(computed))),
      el("details", null, el("summary", null, T.bytes), shown, rest),
    ],
    el(
      "div",
      { class: "row" },
      copying(() => text, T.copy, T.copy),
      take,
    ),
  );
}
