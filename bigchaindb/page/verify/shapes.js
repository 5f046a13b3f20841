/**
 * The form of a proof: each check takes a value and returns it as the rest works with it, or refuses it by its place. Source: docs/reference/proofs.md.
 *
 * @typedef {(value: any, place: string) => any} Shape
 */

import { unbase64 } from "./bytes.js";
import { Digits, Refusal } from "./json.js";

export const VALIDATOR_COUNT_MAX = 10_000;
const TRANSACTION_COUNT_MAX = 2 ** 17;
const INT64_MAX = 2n ** 63n - 1n;

/** @param {string} place @param {string} rule @returns {never} */
export function refuse(place, rule) {
  throw new Refusal(`no proof of an event: ${place}: ${rule}`);
}

/** Characters as code points, which is how lengths are counted. @param {string} text */
const characters = (text) => [...text].length;

/** @param {RegExp | null} pattern @param {number} [max] @param {number} [min] @returns {Shape} */
export const text =
  (pattern, max = Number.POSITIVE_INFINITY, min = 0) =>
  (value, place) => {
    if (typeof value !== "string") refuse(place, "must be a text");
    if (pattern && !pattern.test(value)) refuse(place, `must match ${pattern.source}`);
    const count = max === Number.POSITIVE_INFINITY ? min : characters(value);
    return count < min || count > max ? refuse(place, `must have ${min} to ${max} characters`) : value;
  };

/** @param {bigint} [min] @param {bigint} [max] @returns {Shape} */
export const whole = (min, max) => (value, place) => {
  if (!(value instanceof Digits) || !value.isWhole || value.text.length > 400) refuse(place, "must be a whole number");
  const number = BigInt(value.text);
  if (min !== undefined && number < min) refuse(place, `must be at least ${min}`);
  return max !== undefined && number > max ? refuse(place, `must be at most ${max}`) : number;
};

/** @param {Shape} item @param {number} [max] @returns {Shape} */
export const list =
  (item, max = Number.POSITIVE_INFINITY) =>
  (value, place) => {
    if (!Array.isArray(value)) refuse(place, "must be an array");
    if (value.length > max) refuse(place, `must have at most ${max} items`);
    return value.map((/** @type {any} */ one, /** @type {number} */ index) => item(one, `${place}[${index}]`));
  };

/**
 * An object with exactly these members, of which those in `optional` have a value without being there.
 *
 * @param {Record<string, Shape>} members
 * @param {Record<string, any>} [optional]
 * @param {boolean} [isOpen] whether other members are passed over
 * @returns {Shape}
 */
export const object =
  (members, optional = {}, isOpen = false) =>
  (value, place) => {
    if (!(value instanceof Map)) refuse(place, "must be an object");
    const unknown = isOpen ? undefined : [...value.keys()].find((key) => !Object.hasOwn(members, key));
    if (unknown !== undefined) refuse(place, `has an unknown member ${JSON.stringify(unknown.slice(0, 40))}`);
    /** @type {Record<string, any>} */
    const found = {};
    for (const [name, shape] of Object.entries(members)) {
      if (value.has(name)) found[name] = shape(value.get(name), `${place}.${name}`);
      else if (Object.hasOwn(optional, name)) found[name] = optional[name];
      else refuse(place, `${name} is missing`);
    }
    return found;
  };

/** @param {any} only @returns {Shape} */
const exactly = (only) => (value, place) => (value === only ? value : refuse(place, `must be ${JSON.stringify(only)}`));
/** @param {Shape} shape @returns {Shape} */
export const nullable = (shape) => (value, place) => (value === null ? null : shape(value, place));
/** @param {number} [max] @param {boolean} [isExact] @returns {Shape} */
export const bytes =
  (max = Number.POSITIVE_INFINITY, isExact = true) =>
  (value, place) => {
    const found = typeof value === "string" ? unbase64(value, isExact) : null;
    return found && found.length <= max ? found : refuse(place, "must be base64, with no bit that means nothing");
  };
/** @type {Shape} */
const anything = (value) => value;

/** @type {Shape} */
const number = (value, place) => BigInt(text(/^(0|[1-9][0-9]{0,17})$/)(value, place));
const hash = text(/^([0-9A-F]{64})?$/);
const lowerHash = text(/^[0-9a-f]{64}$/);
const address = text(/^([0-9A-F]{40})?$/);
const key = text(/^[1-9A-HJ-NP-Za-km-z]{43,44}$/);
const time = text(null, 30);
const chain = text(null, 50, 1);
const round = whole(0n, 2n ** 31n - 1n);
const blockId = object({ hash, parts: object({ total: whole(0n, 2n ** 32n - 1n), hash }) });

const header = object({
  version: object({ block: number, app: number }, { app: 0n }),
  chain_id: chain,
  height: number,
  time,
  last_block_id: blockId,
  ...{ last_commit_hash: hash, data_hash: hash, validators_hash: hash, next_validators_hash: hash },
  ...{ consensus_hash: hash, app_hash: text(/^([0-9A-F]{2}){0,64}$/), last_results_hash: hash, evidence_hash: hash },
  proposer_address: address,
});
const precommit = object({
  block_id_flag: whole(1n, 3n),
  validator_address: address,
  timestamp: time,
  signature: nullable(bytes(64)),
});
const commit = object({ height: number, round, block_id: blockId, signatures: list(precommit, VALIDATOR_COUNT_MAX) });
const signedHeader = object({ header, commit });
const electors = list(object({ public_key: key, power: whole(1n, INT64_MAX) }), VALIDATOR_COUNT_MAX);
const unseen = list(object({ index: whole(), bytes: bytes() }));
const order = list(whole(0n, 1_000n), TRANSACTION_COUNT_MAX);
const support = list(
  object({ validator: text(null), height: whole(), round: whole(), extension: bytes(), signature: bytes() }),
  VALIDATOR_COUNT_MAX,
);

/** The content of votes against a proposal, in the order in which it is written and sorted. */
export const rejection = object({
  height: whole(1n, 2n ** 62n),
  block: lowerHash,
  proposer: text(/^[0-9a-f]{40}$/),
  time: whole(0n, 10n ** 10n - 1n),
  body: lowerHash,
  size: whole(0n, 2n ** 40n - 1n),
  reason: text(/^[A-Za-z]+ at [a-z_]+(\[[0-9]{1,7}\])?$/, 120),
});

/** @type {Record<string, Shape>} */
const kinds = {
  commit: object({ kind: anything, signed_header: signedHeader, validators: electors, unseen }, { unseen: [] }),
  "commit-2": object(
    { kind: anything, signed_header: signedHeader, validators: electors, order, unseen },
    { unseen: [] },
  ),
  "rejection-2": object({ kind: anything, signed_header: signedHeader, rejection, support, unseen }, { unseen: [] }),
  rejection: object({ kind: anything, chain_id: chain, rejection, support, unseen }, { unseen: [] }),
  node: object({ kind: anything, vote: anything }),
};
/** @type {Shape} */
const evidence = (value, place) => {
  const kind = value instanceof Map ? value.get("kind") : null;
  const shape = typeof kind === "string" && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  return shape
    ? shape(value, place)
    : refuse(place, `must be an object whose kind is one of ${Object.keys(kinds).join(", ")}`);
};
const block = object({
  node_pubkey: key,
  timestamp: text(/^(0|[1-9][0-9]{0,9})$/),
  transactions: list(anything, TRANSACTION_COUNT_MAX),
  voters: list(key, VALIDATOR_COUNT_MAX),
});
const event = object(
  {
    block,
    height: whole(1n, INT64_MAX),
    id: lowerHash,
    signature: nullable(text(null, 88)),
    reason: nullable(text(null, 200)),
    body_omitted: nullable(exactly(true)),
  },
  { reason: null, body_omitted: null },
);

/** The whole document. */
export const proof = object({ format: exactly("bigchaindb-proof-1"), event, evidence });

/** A v1 vote; its patterns are without anchors, as 1.x wrote them. Source: blocks-and-votes.md, section 2. */
export const vote = object({
  node_pubkey: text(/[1-9a-zA-Z^OIl]{43,44}/),
  signature: text(/[1-9a-zA-Z^OIl]{86,88}/),
  vote: object({
    invalid_reason: nullable(text(null)),
    is_block_valid: (value, place) => (typeof value === "boolean" ? value : refuse(place, "must be true or false")),
    previous_block: text(/[0-9a-f]{64}/),
    timestamp: text(/[0-9]{10}/),
    voting_for_block: text(/[0-9a-f]{64}/),
  }),
});
