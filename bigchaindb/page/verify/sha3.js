/** SHA3-256, which no browser has. Words of 64 bits are pairs of 32, low half first. Source: FIPS 202. */

const RATE = 136;
const ROUNDS = 24;

/** Rotations and new places of the lanes, in the order in which rho and pi visit them (FIPS 202, 3.2.2 and 3.2.3). */
const STEPS = (() => {
  const steps = [];
  let x = 1;
  let y = 0;
  for (let t = 0; t < ROUNDS; t += 1) {
    const from = x + 5 * y;
    [x, y] = [y, (2 * x + 3 * y) % 5];
    steps.push({ from, to: x + 5 * y, turn: (((t + 1) * (t + 2)) / 2) % 64 });
  }
  return steps;
})();

/** Round constants as pairs, from the shift register of FIPS 202, 3.2.5. */
const CONSTANTS = (() => {
  const constants = [];
  let register = 1;
  for (let round = 0; round < ROUNDS; round += 1) {
    /** @type {any} */
    const pair = [0, 0];
    for (let j = 0; j < 7; j += 1) {
      const bit = (1 << j) - 1;
      if (register & 1) pair[bit >> 5] |= 1 << (bit & 31);
      register = (register << 1) ^ (register & 0x80 ? 0x171 : 0);
    }
    constants.push(pair);
  }
  return constants;
})();

/** Return the upper half of a pair after a turn to the left. @param {number} high @param {number} low @param {number} n */
const turned = (high, low, n) => (n === 0 ? high : (high << n) | (low >>> (32 - n)));

/**
 * Every index is within its array, which types cannot say.
 * @param {any} state 25 lanes
 */
function permute(state) {
  /** @type {any} */
  const moved = new Int32Array(50);
  /** @type {any} */
  const parity = new Int32Array(10);
  for (const [low, high] of CONSTANTS) {
    for (let i = 0; i < 10; i += 1) {
      parity[i] = state[i] ^ state[i + 10] ^ state[i + 20] ^ state[i + 30] ^ state[i + 40];
    }
    for (let i = 0; i < 50; i += 2) {
      const before = (i + 8) % 10;
      const after = (i + 2) % 10;
      state[i] ^= parity[before] ^ turned(parity[after], parity[after + 1], 1);
      state[i + 1] ^= parity[before + 1] ^ turned(parity[after + 1], parity[after], 1);
    }
    moved[0] = state[0];
    moved[1] = state[1];
    for (const { from, to, turn } of STEPS) {
      const [a, b] = turn < 32 ? [state[2 * from], state[2 * from + 1]] : [state[2 * from + 1], state[2 * from]];
      moved[2 * to] = turned(a, b, turn % 32);
      moved[2 * to + 1] = turned(b, a, turn % 32);
    }
    for (let row = 0; row < 50; row += 10) {
      for (let i = 0; i < 10; i += 1) {
        state[row + i] = moved[row + i] ^ (~moved[row + ((i + 2) % 10)] & moved[row + ((i + 4) % 10)]);
      }
    }
    state[0] ^= low;
    state[1] ^= high;
  }
}

/**
 * Return the SHA3-256 of some bytes.
 *
 * @param {Uint8Array} bytes
 * @returns {Uint8Array}
 */
export function sha3(bytes) {
  const padded = new Uint8Array((Math.floor(bytes.length / RATE) + 1) * RATE);
  padded.set(bytes);
  padded[bytes.length] = 0x06;
  padded[padded.length - 1] = (padded.at(-1) ?? 0) | 0x80;
  const words = new DataView(padded.buffer);
  /** @type {any} */
  const state = new Int32Array(50);
  for (let at = 0; at < padded.length; at += RATE) {
    for (let i = 0; i < RATE / 4; i += 1) state[i] ^= words.getInt32(at + 4 * i, true);
    permute(state);
  }
  const digest = new DataView(new ArrayBuffer(32));
  for (let i = 0; i < 8; i += 1) digest.setInt32(4 * i, state[i], true);
  return new Uint8Array(digest.buffer);
}
