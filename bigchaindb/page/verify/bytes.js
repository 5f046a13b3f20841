/** Bytes and their texts. */

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** @param {Uint8Array[]} parts */
export function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param {string} text */
export const utf8 = (text) => new TextEncoder().encode(text);
/** @param {Uint8Array} bytes */
export const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
/** @param {string} text an even number of hex digits */
export const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/**
 * Return the bytes of a base64 text, null if it is none.
 *
 * @param {string} text
 * @param {boolean} isExact whether bits that mean nothing must be zero
 */
export function unbase64(text, isExact = true) {
  if (text.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const binary = atob(text);
  if (isExact && btoa(binary) !== text) return null;
  return Uint8Array.from(binary, (one) => one.charCodeAt(0));
}

/** @param {Uint8Array} bytes */
export function base58(bytes) {
  let text = "";
  for (let number = BigInt(`0x0${hex(bytes)}`); number; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  const filled = bytes.findIndex(Boolean);
  return "1".repeat(filled < 0 ? bytes.length : filled) + text;
}

/** Return the bytes of a base58 text, null if they are not so many. @param {string} text @param {number} size */
export function unbase58(text, size) {
  if (!/^[1-9A-HJ-NP-Za-km-z]+$/.test(text) || text.length > 88) return null;
  let number = 0n;
  for (const digit of text) number = number * 58n + BigInt(ALPHABET.indexOf(digit));
  const digits = number ? number.toString(16) : "";
  const bytes = unhex(digits.padStart(digits.length + (digits.length % 2), "0"));
  const zeros = text.length - text.replace(/^1+/, "").length;
  return zeros + bytes.length === size ? joined(new Uint8Array(zeros), bytes) : null;
}

/** Return the key, 32 bytes in hex, of a base58 text, null if it is none. @param {string} text */
export function keyOf(text) {
  const raw = /^[1-9A-HJ-NP-Za-km-z]{43,44}$/.test(text) ? unbase58(text, 32) : null;
  return raw && hex(raw);
}
