/**
 * What nodes and the consensus engine hash and sign, made here once more. Without document and network; hashes and
 * signatures are Web Crypto's. Source: docs/reference/proofs.md; CometBFT v0.38, "Data structures" and "Encoding".
 *
 * @typedef {{ hash: string, parts: { total: bigint, hash: string } }} BlockId
 * @typedef {{ seconds: bigint, nanos: bigint }} Moment
 * @typedef {Map<string, bigint>} Powers voting power by public key in hex
 */

import { hex, joined, unhex, utf8 } from "./bytes.js";
import { Refusal } from "./json.js";

const NOTHING = new Uint8Array();
const EIGHTH = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;
const FIELD = 2n ** 255n - 19n;
/** The points of small order, each the key of a signature that holds for any text; the sign is left out. */
const SMALL = [0n, 1n, FIELD - 1n, FIELD, FIELD + 1n, EIGHTH, FIELD - EIGHTH];

/** @param {Uint8Array} bytes */
export const sha256 = async (bytes) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", /** @type {BufferSource} */ (bytes)));

/** Whether this page may use Web Crypto, and it knows Ed25519: without https it is on localhost alone. */
export async function canVerify() {
  try {
    return Boolean(await imported(new Uint8Array(32)));
  } catch {
    return false;
  }
}

/** @param {Uint8Array} key */
const imported = (key) =>
  crypto.subtle.importKey("raw", /** @type {BufferSource} */ (key), { name: "Ed25519" }, false, ["verify"]);

/**
 * Whether a signature holds. As libsodium does, it refuses keys and points that browsers let pass: of small order, and
 * keys that are not written in the one way.
 *
 * @param {Uint8Array} key
 * @param {Uint8Array} message
 * @param {Uint8Array} signature
 */
export async function isSigned(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64 || ordinate(key) >= FIELD) return false;
  if (SMALL.includes(ordinate(key)) || SMALL.includes(ordinate(signature.subarray(0, 32)))) return false;
  const args = /** @type {[BufferSource, BufferSource]} */ ([signature, message]);
  return crypto.subtle.verify({ name: "Ed25519" }, await imported(key), ...args);
}

/** @param {Uint8Array} point */
const ordinate = (point) => BigInt(`0x${hex(point.toReversed())}`) % 2n ** 255n;

/** @param {bigint} value */
function varint(value) {
  const written = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) written.push(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.from([...written, Number(rest)]);
}

/** @param {number} field @param {bigint} value */
const integer = (field, value) =>
  value ? joined(varint(BigInt(field << 3)), varint(BigInt.asUintN(64, value))) : NOTHING;

/** @param {number} field @param {bigint} value */
function fixed(field, value) {
  if (BigInt.asIntN(64, value) !== value) throw new Refusal(`${value} is no number of 64 bits`);
  const eight = new DataView(new ArrayBuffer(8));
  eight.setBigInt64(0, value, true);
  return value ? joined(varint(BigInt((field << 3) | 1)), new Uint8Array(eight.buffer)) : NOTHING;
}

/** @param {number} field @param {Uint8Array} content */
const message = (field, content) => joined(varint(BigInt((field << 3) | 2)), delimited(content));
/** @param {number} field @param {Uint8Array} content */
const octets = (field, content) => (content.length ? message(field, content) : NOTHING);
/** @param {Uint8Array} content */
const delimited = (content) => joined(varint(BigInt(content.length)), content);

/** @param {BlockId} id */
const encodedBlockId = ({ hash, parts }) =>
  joined(octets(1, unhex(hash)), message(2, joined(integer(1, parts.total), octets(2, unhex(parts.hash)))));
/** @param {Moment} time */
const encodedMoment = ({ seconds, nanos }) => joined(integer(1, seconds), integer(2, nanos));

/** Return the root of the tree of RFC 6962, section 2.1. @param {Uint8Array[]} leaves @returns {Promise<Uint8Array>} */
async function merkleRoot(leaves) {
  const [leaf, ...others] = leaves;
  if (!leaf) return sha256(NOTHING);
  if (others.length === 0) return sha256(joined(Uint8Array.of(0), leaf));
  let left = 1;
  while (2 * left < leaves.length) left *= 2;
  const [first, second] = [await merkleRoot(leaves.slice(0, left)), await merkleRoot(leaves.slice(left))];
  return sha256(joined(Uint8Array.of(1), first, second));
}

/** Return the hash over the transactions of an engine's block. @param {Uint8Array[]} carried */
export async function dataHash(carried) {
  const leaves = [];
  for (const one of carried) leaves.push(await sha256(one));
  return merkleRoot(leaves);
}

/** Return addresses, 20 bytes in hex, with their keys. @param {Powers} powers @returns {Promise<Map<string, string>>} */
export async function byAddress(powers) {
  const found = new Map();
  for (const key of powers.keys()) found.set(hex(await sha256(unhex(key))).slice(0, 40), key);
  return found;
}

/** Return the hash over validators, by falling power, then by address. @param {Powers} powers */
export async function validatorsHash(powers) {
  const all = [...(await byAddress(powers))].map(([address, key]) => ({ address, key, power: powers.get(key) ?? 0n }));
  all.sort((a, b) => (a.power === b.power ? (a.address < b.address ? -1 : 1) : a.power > b.power ? -1 : 1));
  return merkleRoot(all.map(({ key, power }) => joined(message(1, octets(1, unhex(key))), integer(2, power))));
}

/** Return the hash of an engine's block. @param {Record<string, any>} header @param {Moment} time */
export function headerHash(header, time) {
  const hashes = [
    "last_commit",
    "data",
    "validators",
    "next_validators",
    "consensus",
    "app",
    "last_results",
    "evidence",
  ];
  return merkleRoot([
    joined(integer(1, header.version.block), integer(2, header.version.app)),
    octets(1, utf8(header.chain_id)),
    integer(1, header.height),
    encodedMoment(time),
    encodedBlockId(header.last_block_id),
    ...[...hashes.map((name) => header[`${name}_hash`]), header.proposer_address].map((one) => octets(1, unhex(one))),
  ]);
}

/**
 * Return what a validator signs with its precommit; `id` null is a vote for no block.
 *
 * @param {string} chain
 * @param {bigint} height
 * @param {bigint} round
 * @param {BlockId | null} id
 * @param {Moment} time
 */
export const precommitBytes = (chain, height, round, id, time) =>
  delimited(
    joined(
      ...[integer(1, 2n), fixed(2, height), fixed(3, round), id ? message(4, encodedBlockId(id)) : NOTHING],
      ...[message(5, encodedMoment(time)), octets(6, utf8(chain))],
    ),
  );

/**
 * Return what a validator signs with the extension of its precommit.
 *
 * @param {string} chain
 * @param {bigint} height
 * @param {bigint} round
 * @param {Uint8Array} extension
 */
export const extensionBytes = (chain, height, round, extension) =>
  delimited(joined(octets(1, extension), fixed(2, height), fixed(3, round), octets(4, utf8(chain))));
