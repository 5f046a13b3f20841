// The drawing of an asset's provenance: a table with links, whose rows say in words what the lanes beside them show.

import { el, svg } from "../dom.js";
import { label, number, seconds } from "../format.js";
import { LANES_MAX } from "../provenance.js";
import { texts } from "../texts.js";
import { total } from "./flow.js";
import { id, transactionId } from "./id.js";
import { ago } from "./time.js";

/** @typedef {import("../live.js").CloudEvent} CloudEvent */
/** @typedef {import("../provenance.js").Strokes} Strokes */
/** @typedef {{ event: CloudEvent, strokes: Strokes }} Drawn */

const T = texts.asset;
const STEP = 16;
const MIDDLE = 16;
const PARTS_MAX = 3;
const COLOURS = 6;

/** @param {CloudEvent} event @returns {import("../provenance.js").Row} */
export function rowOf({ data }) {
  const inputs = data.inputs.flatMap((/** @type {any} */ { fulfills: at }) =>
    at ? `${at.transaction_id}:${at.output_index}` : [],
  );
  return {
    id: data.id,
    inputs,
    outputs: data.outputs.map((/** @type {any} */ _, /** @type {number} */ index) => `${data.id}:${index}`),
  };
}

/** @type {import("./table.js").Column<Drawn>[]} */
export const COLUMNS = [
  { title: T.lanes, kind: "graph", cell: ({ strokes }) => graph(strokes) },
  { title: texts.blocks.id, kind: "main", cell: ({ event }) => transactionId(event.data.id) },
  { title: T.passed, kind: "wide", cell: ({ event }) => passed(event.data) },
  { title: texts.blocks.age, cell: ({ event }) => ago(seconds(event.time)) },
  { title: T.kind, cell: ({ event }) => el("span", { class: "tag" }, kindOf(event.data)) },
  { title: T.note, kind: "wide note", cell: ({ event: { data } }) => label(data.metadata ?? data.asset.data) },
];

/** @param {any} data */
function kindOf({ operation, inputs, outputs }) {
  if (operation === "CREATE") return T.kinds.created;
  if (operation !== "TRANSFER") return operation;
  if (inputs.length === 1) return outputs.length === 1 ? T.kinds.passed : T.kinds.split;
  return outputs.length === 1 ? T.kinds.joined : T.kinds.regrouped;
}

/** From whom to whom, and how much to each. @param {any} data */
function passed({ inputs, outputs }) {
  const from = [...new Set(inputs.flatMap((/** @type {any} */ one) => one.owners_before))];
  const to = outputs
    .slice(0, PARTS_MAX)
    .map((/** @type {any} */ { amount, public_keys: keys }, /** @type {number} */ index) =>
      el(
        "span",
        { class: "part" },
        index > 0 && el("span", { class: "dim" }, "· "),
        first(keys ?? []),
        " ",
        number(amount),
      ),
    );
  const rest = outputs.length - PARTS_MAX;
  const source = inputs.some((/** @type {any} */ one) => one.fulfills) ? [first(from), " "] : [];
  return el(
    "span",
    { class: "row" },
    el("span", { class: "part" }, source, number(total(outputs))),
    el("span", { "aria-label": T.to }, "→"),
    to,
    rest > 0 && el("span", { class: "dim" }, T.more(number(rest))),
  );
}

/** @param {string} key */
const owner = (key) => id(key, { href: `#/owners/${encodeURIComponent(key)}`, copy: false });

/** The first of some keys, of which a stranger may have named none. @param {string[]} keys */
const first = (keys) =>
  keys.length > 0 ? [owner(/** @type {string} */ (keys[0])), plus(keys.length - 1)] : texts.none;

/** @param {number} count of others */
const plus = (count) => (count > 0 ? el("span", { class: "dim" }, ` + ${number(count)}`) : null);

/**
 * Lines that reach from edge to edge whatever a row's height: above its node they have fixed places, below it they go
 * on to the end.
 * @param {Strokes} strokes
 */
function graph({ node, above, below, through, more }) {
  const x = (/** @type {number} */ column) => Math.min(column, LANES_MAX) * STEP + STEP / 2;
  const colour = (/** @type {number} */ column) => `stroke stroke-${column % COLOURS}`;
  const line = (
    /** @type {number} */ column,
    /** @type {number} */ x1,
    /** @type {string} */ y1,
    /** @type {number} */ x2,
    /** @type {string} */ y2,
  ) => svg("line", { class: colour(column), x1, y1, x2, y2 });
  const middle = String(MIDDLE);
  const knee = String(2 * MIDDLE);
  const at = x(node);
  const drawn = [
    ...through.map((column) => line(column, x(column), "0", x(column), "100%")),
    ...above.map((column) => line(column, x(column), "0", at, middle)),
    ...below.flatMap((column) => [
      line(column, at, middle, x(column), knee),
      line(column, x(column), knee, x(column), "100%"),
    ]),
  ];
  const columns = 1 + Math.max(node, ...above, ...below, ...through);
  const width = (more > 0 ? LANES_MAX + 3 : Math.min(columns, LANES_MAX)) * STEP;
  const note = more > 0 ? svg("text", { x: LANES_MAX * STEP + STEP, y: MIDDLE + 4 }, `+${more}`) : null;
  const room = svg("svg", { width, height: 1, class: "room", "aria-hidden": "true" });
  const dot = svg("circle", { class: colour(node), cx: at, cy: middle, r: 4 });
  return [room, svg("svg", { width, class: "lanes", "aria-hidden": "true" }, drawn, dot, note)];
}
