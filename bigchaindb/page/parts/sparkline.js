// The last values of a number as bars: the newest at the right.

import { fill, svg } from "../dom.js";

const BAR = 4;
const HEIGHT = 24;

/**
 * @param {string} label says in words what is drawn
 * @param {number} count of bars
 */
export function sparkline(label, count = 40) {
  const width = count * BAR;
  const node = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label });
  node.setAttribute("preserveAspectRatio", "none");

  /** @param {readonly number[]} values */
  const show = (values) => {
    const last = [...Array(count).fill(0), ...values].slice(-count);
    const most = Math.max(1e-9, ...last);
    fill(
      node,
      last.map((value, index) => {
        const height = value > 0 ? Math.max(2, (value / most) * HEIGHT) : 1;
        const place = { x: index * BAR, y: HEIGHT - height, width: BAR - 1, height };
        return svg("rect", value > 0 ? place : { ...place, class: "none" });
      }),
    );
  };
  show([]);
  return { node, show };
}
