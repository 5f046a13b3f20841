// How fast lanes go: from their cursors at two polls, kept for five minutes over all screens. Pure.

export const KEPT_S = 300;
const NOW_S = 10;

/** @typedef {{ at: number, cursor: number }} Seen */

export class Rates {
  /** @type {Map<string, Seen[]>} */
  #seen = new Map();

  /**
   * @param {readonly { name: string, cursor: number }[]} lanes
   * @param {number} at in seconds
   */
  note(lanes, at) {
    for (const { name, cursor } of lanes) {
      const seen = this.#seen.get(name) ?? [];
      if (at > (seen.at(-1)?.at ?? -1)) seen.push({ at, cursor });
      while ((seen[0]?.at ?? at) < at - KEPT_S) seen.shift();
      this.#seen.set(name, seen);
    }
  }

  /**
   * Return the events a second of the last seconds; null before two polls. A seek back is no rate.
   * @param {string} name
   */
  now(name) {
    const seen = this.#seen.get(name) ?? [];
    const last = seen.at(-1);
    const first = last && seen.find(({ at }) => at >= last.at - NOW_S);
    if (!last || !first || first === last) return null;
    return Math.max(0, last.cursor - first.cursor) / (last.at - first.at);
  }

  /**
   * Return the rates of the last five minutes in equal parts, oldest first.
   * @param {string} name
   * @param {number} count
   */
  bars(name, count) {
    const seen = this.#seen.get(name) ?? [];
    const last = seen.at(-1)?.at ?? 0;
    const bars = Array(count).fill(0);
    const part = KEPT_S / count;
    seen.forEach(({ at, cursor }, index) => {
      const before = seen[index - 1];
      if (!before) return;
      const bar = count - 1 - Math.floor((last - at) / part);
      if (bar >= 0) bars[bar] += Math.max(0, cursor - before.cursor) / part;
    });
    return bars;
  }
}

/** Of all lanes of this node. */
export const rates = new Rates();
