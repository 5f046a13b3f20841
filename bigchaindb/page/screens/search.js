// What an id, key, height, position or word may mean. One exact hit opens by itself.

import { get } from "../api.js";
import { el } from "../dom.js";
import { id } from "../parts/id.js";
import { answered } from "../parts/section.js";
import { empty } from "../parts/state.js";
import { table } from "../parts/table.js";
import { texts } from "../texts.js";

/** @typedef {{ kind: "transaction" | "asset" | "block" | "owner" | "position", id: string | number, label: string }} Hit */

const T = texts.found;
const FILTER = /^((?:metadata|data)\.\S+?)=(.*)$/;

/** @param {import("../app.js").Context} context */
export async function screen(context) {
  const text = context.query.get("text") ?? "";
  const [, path, value] = FILTER.exec(text) ?? [];
  if (path) {
    location.replace(`#/blocks?${new URLSearchParams({ granularity: "transaction", [path]: value ?? "" })}`);
    return;
  }
  context.title(T.for(text));
  const read = () => get("find", { text }, context.signal);
  context.main.append(answered(context.signal, read, shown));
}

/** @param {{ hits: Hit[], note: string | null }} found `note`: why words were left out */
function shown({ hits, note }) {
  const [only] = hits;
  if (only === undefined) return empty(note ? T.cut : T.nothing, el("p", null, note || T.nothingText));
  if (hits.length === 1 && !note) {
    location.replace(hrefOf(only));
    return null;
  }
  const list = table(
    T.caption,
    /** @type {import("../parts/table.js").Column<Hit>[]} */ ([
      { title: T.label, kind: "main", cell: (hit) => el("a", { href: hrefOf(hit) }, hit.label || String(hit.id)) },
      { title: T.kind, cell: (hit) => el("span", { class: "tag" }, T.kinds[hit.kind] ?? hit.kind) },
      { title: T.id, cell: (hit) => id(String(hit.id), { href: hrefOf(hit) }) },
    ]),
    (hit) => `${hit.kind} ${hit.id}`,
  );
  list.show(hits);
  return el("section", { class: "card" }, list.node, note && el("p", { class: "dim" }, `${T.cut}: ${note}`));
}

/** @param {Hit} hit */
function hrefOf({ kind, id: what }) {
  const part = encodeURIComponent(what);
  return kind === "position" ? `#/invalid/${part}` : `#/${kind}s/${part}`;
}
