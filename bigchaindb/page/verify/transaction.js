/** What identifies a transaction, from the text that was hashed. Source: docs/reference/contract/transactions.md, 3. */

import { blockId } from "./block.js";
import { canonical, isFirstVersion } from "./canonical.js";

/**
 * Return the id that a transaction has by its content: of version 1.0 without id and signatures, later with both, the
 * id null.
 *
 * @param {Map<string, any>} document
 */
export function idOf(document) {
  const isFirst = isFirstVersion(document.get("version"));
  const hashed = new Map(document).set("id", null);
  if (isFirst) {
    hashed.delete("id");
    const inputs = document.get("inputs");
    const unsigned = (/** @type {any} */ one) => (one instanceof Map ? new Map(one).set("fulfillment", null) : one);
    hashed.set("inputs", Array.isArray(inputs) ? inputs.map(unsigned) : inputs);
  }
  return blockId(canonical(hashed, isFirst));
}

/** Return a value as objects and arrays; numbers keep their digits. @param {any} value @returns {any} */
export function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  return value instanceof Map ? Object.fromEntries([...value].map(([name, inner]) => [name, plain(inner)])) : value;
}
