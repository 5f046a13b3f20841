/**
 * What proves a valid block of a network: precommits name a header, and that its transactions.
 *
 * @typedef {import("./proof.js").Verified} Verified
 * @typedef {import("./trust.js").Trust} Trust
 * @typedef {Record<string, any>} Checked what a shape returned
 */

import { isDecisive, merged, networkHead, powerOf, require, requireEqual, totalOf } from "./block.js";
import { hex, joined, keyOf, unhex } from "./bytes.js";
import { byAddress, dataHash, headerHash, isSigned, precommitBytes, validatorsHash } from "./engine.js";
import { Refusal } from "./json.js";

const ABSENT = 1n;
const FOR_BLOCK = 2n;
const ABSENT_TIME = "0001-01-01T00:00:00Z";
const TIME = /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?Z$/;

/** @param {string} text */
function moment(text) {
  const [, year, month, day, hour, minute, second, fraction] = TIME.exec(text) ?? [];
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const isDay = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
  require(isDay && year !== "0000", `time: ${text.slice(0, 40)} has not the form 2026-01-31T12:00:00.123456789Z`);
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  return { seconds: BigInt(date.getTime() / 1000), nanos: BigInt((fraction ?? "").padEnd(9, "0")) };
}

/** @param {Uint8Array} digest */
export const upper = (digest) => hex(digest).toUpperCase();

/**
 * Return the keys of those who decided the block of a header; every signature that is there must be right.
 *
 * @param {Checked} signed
 * @param {Map<string, bigint>} electors who must be the validators that it names
 */
export async function signersOf({ header, commit }, electors) {
  const isNamed = upper(await validatorsHash(electors)) === header.validators_hash;
  require(isNamed, "validators: not those that the header names");
  const hash = upper(await headerHash(header, moment(header.time)));
  require(hash === commit.block_id.hash, "signed_header.header: not what the precommits name");
  requireEqual("signed_header.commit.height", commit.height, header.height, "the header says");
  const keys = await byAddress(electors);
  const seen = new Set();
  /** @type {string[]} */
  const signers = [];
  for (const [index, one] of commit.signatures.entries()) {
    const where = `signatures[${index}]`;
    if (one.block_id_flag === ABSENT) {
      const isEmpty = one.validator_address === "" && one.signature === null && one.timestamp === ABSENT_TIME;
      require(isEmpty, `${where}: of an absent validator, yet not empty`);
      continue;
    }
    const key = keys.get(one.validator_address.toLowerCase());
    if (key === undefined) throw new Refusal(`${where}: ${one.validator_address} is none of the validators`);
    require(!seen.has(key), `${where}: ${one.validator_address} signed before`);
    const id = one.block_id_flag === FOR_BLOCK ? commit.block_id : null;
    const message = precommitBytes(header.chain_id, commit.height, commit.round, id, moment(one.timestamp));
    const signature = one.signature ?? new Uint8Array();
    require(await isSigned(unhex(key), message, signature), `${where}: not a signature of its validator`);
    seen.add(key);
    if (id) signers.push(key);
  }
  const power = powerOf(signers, electors);
  require(isDecisive(power, electors), `signatures: of ${power} of ${totalOf(electors)}; more than 2/3 decide`);
  return signers;
}

/** @param {Checked} evidence @param {string[]} shown @param {Trust} trust @returns {Promise<Verified>} */
export async function verifyCommit(evidence, shown, trust) {
  const header = evidence.signed_header.header;
  const electors = new Map();
  for (const { public_key, power } of evidence.validators) {
    const key = keyOf(public_key);
    if (key === null) throw new Refusal(`validators: ${public_key} is not a base58 key of 32 bytes`);
    require(!electors.has(key), "validators: one is listed twice");
    electors.set(key, power);
  }
  const signers = await signersOf(evidence.signed_header, electors);
  const transactions = merged(shown, evidence.unseen, (one) => one[0] === 0);
  const carried = evidence.order ? carriedIn(evidence.order, transactions) : transactions;
  require(upper(await dataHash(carried)) === header.data_hash, "transactions: not those that the header names");
  require(shown.length > 0, "transactions: none of a client; such a height is no event");
  const { seconds } = moment(header.time);
  const head = await networkHead(header.height, seconds, header.proposer_address.toLowerCase(), electors, shown);
  const power = powerOf(signers, trust.powers);
  const { kind } = evidence;
  return { kind, head, shown, reason: null, chainId: header.chain_id, power, isOmitted: false, isBound: true };
}

/** Return what the engine carried: bundles where `order` has a count. @param {bigint[]} order @param {Uint8Array[]} transactions */
function carriedIn(order, transactions) {
  const count = order.reduce((sum, one) => sum + (one || 1n), 0n);
  require(count === BigInt(transactions.length), `order: not of ${transactions.length} transactions`);
  require(order.some(Boolean), "order: of no bundle; without one the evidence is of the kind `commit`");
  const left = transactions.values();
  const next = () => /** @type {Uint8Array} */ (left.next().value);
  return order.map((members) => {
    if (!members) return next();
    /** @type {Uint8Array[]} */
    const bundle = [Uint8Array.of(1)];
    for (let taken = 0n; taken < members; taken += 1n) {
      const one = next();
      const length = new DataView(new ArrayBuffer(4));
      length.setUint32(0, one.length);
      bundle.push(new Uint8Array(length.buffer), one);
    }
    return joined(...bundle);
  });
}
