// Many things of which the first are shown, and a button for those that are left.

import { button, fill } from "../dom.js";
import { number } from "../format.js";
import { texts } from "../texts.js";

/**
 * @template Row
 * @param {Element} list
 * @param {readonly Row[]} rows
 * @param {(row: Row) => Node} make
 * @param {number} first how many are shown at once
 * @param {number} [further] how many each time that a person asks
 */
export function pieces(list, rows, make, first, further = rows.length) {
  let shown = 0;
  const show = (/** @type {number} */ count) => {
    for (const row of rows.slice(shown, shown + count)) list.append(make(row));
    shown += count;
    more.hidden = shown >= rows.length;
    fill(more, texts.tree.more(number(rows.length - shown)));
  };
  const more = button("", () => show(further), "link");
  show(first);
  return more;
}
