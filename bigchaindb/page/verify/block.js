/**
 * A block as 1.x hashed it, and what the checks of all proofs share. Source: docs/reference/contract/blocks-and-votes.md.
 *
 * @typedef {{ height: bigint, timestamp: bigint, proposer: string, voters: string[], id: string | null,
 *   signature: string | null }} Head
 * @typedef {{ index: bigint, bytes: Uint8Array }} Unseen
 * @typedef {import("./json.js").Json} Json
 */

import { base58, hex, unhex, utf8 } from "./bytes.js";
import { canonical, isFirstVersion } from "./canonical.js";
import { byAddress } from "./engine.js";
import { checkedDocument, parse, Refusal } from "./json.js";
import { sha3 } from "./sha3.js";

/** @param {boolean} holds @param {string} message */
export function require(holds, message) {
  if (!holds) throw new Refusal(message);
}

/** @param {string} member @param {unknown} found @param {unknown} expected @param {string} says */
export function requireEqual(member, found, expected, says) {
  const written = (/** @type {unknown} */ value) => (typeof value === "bigint" ? String(value) : JSON.stringify(value));
  const [one, other] = [written(found), written(expected)];
  require(one === other, `${member}: found ${one.slice(0, 100)}, but ${says} ${other.slice(0, 100)}`);
}

/** Return the canonical text of a document of the ledger. @param {Json} value */
export function documentText(value) {
  const document = checkedDocument(value);
  return canonical(document, isFirstVersion(document.get("version") ?? null));
}

/** Whether an event can repeat a transaction: a JSON object in canonical form. @param {Uint8Array} bytes */
export function canBeCarried(bytes) {
  try {
    const text = textOf(bytes);
    return documentText(parse(text)) === text;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** Return the text that some bytes are in UTF-8. @param {Uint8Array} bytes */
export function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal("not UTF-8");
  }
}

/**
 * Return all transactions that were decided upon, in their order, as bytes.
 *
 * @param {string[]} shown
 * @param {Unseen[]} unseen
 * @param {(bytes: Uint8Array) => boolean} mayHide
 */
export function merged(shown, unseen, mayHide) {
  /** @type {Uint8Array[]} */
  const all = shown.map(utf8);
  let taken = 0n;
  unseen.forEach(({ index, bytes }, number) => {
    require(mayHide(bytes), `unseen[${number}]: the event would show it`);
    const end = index - BigInt(number);
    require(taken <= end && end <= BigInt(shown.length), `unseen[${number}].index: out of order`);
    taken = end;
  });
  for (const { index, bytes } of unseen) all.splice(Number(index), 0, bytes);
  return all;
}

/** @param {Omit<Head, "id">} head @param {string[]} shown */
export const blockText = ({ proposer, timestamp, voters }, shown) =>
  `{"node_pubkey":"${proposer}","timestamp":"${timestamp}","transactions":[${shown.join(",")}],"voters":${JSON.stringify(voters)}}`;

/** @param {string} text */
export const blockId = (text) => hex(sha3(utf8(text)));

/**
 * Return the head of a network's block, as every node makes it for the event.
 *
 * @param {bigint} height
 * @param {bigint} timestamp
 * @param {string} proposer address in lower-case hex
 * @param {Map<string, bigint>} powers
 * @param {string[]} shown
 * @param {string | null} [hash] the id of a block whose transactions are not all shown
 * @returns {Promise<Head>}
 */
export async function networkHead(height, timestamp, proposer, powers, shown, hash = null) {
  const key = (await byAddress(powers)).get(proposer);
  if (key === undefined) throw new Refusal(`proposer: ${proposer} is none of the validators`);
  const voters = [...powers.keys()].map((one) => base58(unhex(one))).sort();
  const head = { height, timestamp, proposer: base58(unhex(key)), voters, signature: null };
  return { ...head, id: hash ?? blockId(blockText(head, shown)) };
}

/** Return the power that some keys have among the trusted. @param {string[]} keys @param {Map<string, bigint>} powers */
export const powerOf = (keys, powers) => keys.reduce((sum, key) => sum + (powers.get(key) ?? 0n), 0n);
/** @param {Map<string, bigint>} powers */
export const totalOf = (powers) => powerOf([...powers.keys()], powers);
/** Whether a power is more than two thirds, which decides. @param {bigint} power @param {Map<string, bigint>} powers */
export const isDecisive = (power, powers) => power * 3n > totalOf(powers) * 2n;
