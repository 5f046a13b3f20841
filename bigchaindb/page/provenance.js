// Where an asset came from, as lanes of unspent outputs that split and join: a row for each transaction, as the graph
// of a version history has one for each commit. Pure: the same module runs in Node.

/**
 * Outputs are named `transaction:index`.
 * @typedef {{ id: string, inputs: string[], outputs: string[] }} Row
 */
/** @typedef {(string | null)[]} Lanes the output that each column holds between two rows */
/**
 * What is drawn for a row: columns of lanes that end at its node, begin there and pass by, and how many are not drawn.
 * @typedef {{ node: number, above: number[], below: number[], through: number[], more: number }} Strokes
 */

export const LANES_MAX = 12;

/**
 * Return the lanes behind some rows, and what each row draws. Newest first, inputs and outputs exchange their parts:
 * a lane is then an output that a row above has spent, and ends where it was made.
 * @param {readonly Row[]} rows in the order in which they stand below each other
 * @param {Lanes} before lanes behind the rows above, [] at the top
 * @param {boolean} isNewestFirst
 * @returns {{ lanes: Lanes, strokes: Strokes[] }}
 */
export function follow(rows, before, isNewestFirst) {
  const lanes = [...before];
  /** @type {Map<string, number>} */
  const places = new Map();
  for (const [column, lane] of lanes.entries()) if (lane !== null) places.set(lane, column);
  const beyond = (/** @type {number[]} */ columns) => columns.filter((column) => column >= LANES_MAX).length;
  let hidden = beyond([...places.values()]);
  const strokes = rows.map(({ inputs, outputs }) => {
    const [ending, beginning] = isNewestFirst ? [outputs, inputs] : [inputs, outputs];
    const above = ending.flatMap((one) => places.get(one) ?? []).sort((a, b) => a - b);
    for (const one of ending) places.delete(one);
    for (const column of above) lanes[column] = null;
    const through = lanes.slice(0, LANES_MAX).flatMap((lane, column) => (lane === null ? [] : column));
    const node = above[0] ?? free(lanes);
    const below = beginning.map((one, index) => {
      const column = index === 0 ? node : free(lanes);
      lanes[column] = one;
      places.set(one, column);
      return column;
    });
    while (lanes.at(-1) === null) lanes.pop();
    const passing = hidden - beyond(above);
    hidden = passing + beyond(below);
    return { node, above, below, through, more: passing + Math.max(beyond(above), beyond(below)) };
  });
  return { lanes, strokes };
}

/** @param {Lanes} lanes */
function free(lanes) {
  const column = lanes.indexOf(null);
  return column < 0 ? lanes.length : column;
}
