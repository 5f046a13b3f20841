// A table that becomes cards on a phone. Rows are updated by key, so what stays keeps its focus.

import { el, keyed } from "../dom.js";

/** @typedef {"main" | "wide" | "wide note" | "number" | "extra" | "number extra" | "graph"} Kind */
/**
 * @template Row
 * @typedef {{ title: string, kind?: Kind, cell: (row: Row) => import("../dom.js").Child }} Column
 */

/**
 * @template Row
 * @param {string} caption for screen readers
 * @param {readonly Column<Row>[]} columns
 * @param {(row: Row) => string} key
 * @param {{ classOf?: (row: Row) => string, whole?: (row: Row) => import("../dom.js").Child, dense?: boolean }} [options]
 *   `whole`: fills a row without columns; `dense`: it stays a table on a phone, without its columns of the kind `extra`
 */
export function table(caption, columns, key, { classOf, whole, dense = false } = {}) {
  const body = el("tbody");
  const head = columns.map(({ title, kind }) => el("th", { scope: "col", class: kind }, title));
  const node = el(
    "table",
    { class: dense ? "dense" : null },
    el("caption", { class: "sr" }, caption),
    el("thead", null, el("tr", null, head)),
    body,
  );

  /** @param {Row} row */
  const make = (row) => {
    const across = whole?.(row);
    if (across)
      return el("tr", { class: classOf?.(row) }, el("td", { colspan: columns.length, class: "main" }, across));
    const cells = columns.map(({ title, kind, cell }) =>
      el("td", { class: kind, "data-title": title }, el("div", null, cell(row))),
    );
    return el("tr", { class: classOf?.(row), tabindex: -1 }, cells);
  };

  /** @param {readonly Row[]} rows */
  const show = (rows) => keyed(body, rows, key, make);
  return { node, body, show };
}
