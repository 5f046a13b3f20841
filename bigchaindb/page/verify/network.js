/**
 * What proves a block of a network: precommits that name a header, and votes that name a rejection.
 *
 * @typedef {import("./proof.js").Verified} Verified
 * @typedef {import("./trust.js").Trust} Trust
 * @typedef {Record<string, any>} Checked what a shape returned
 */

import { canBeCarried, merged, networkHead, powerOf, require, requireEqual, isDecisive, textOf, totalOf } from "./block.js";
import { hex, joined, keyOf, unhex } from "./bytes.js";
import { byAddress, dataHash, extensionBytes, headerHash, isSigned, precommitBytes, sha256, validatorsHash } from "./engine.js";
import { parse, Refusal } from "./json.js";
import { rejection } from "./shapes.js";

const ABSENT = 1n;
const FOR_BLOCK = 2n;
const ABSENT_TIME = "0001-01-01T00:00:00Z";
const BODY_BYTES_MAX = 1_048_576n;
const EXTENSION_BYTES_MAX = 16_384;
const EXTENSION_COUNT_MAX = 16;
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
const upper = (digest) => hex(digest).toUpperCase();

/**
 * Return the keys of those who decided the block of a header; every signature that is there must be right.
 *
 * @param {Checked} signed
 * @param {Map<string, bigint>} electors who must be the validators that it names
 */
async function signersOf({ header, commit }, electors) {
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
  let at = 0;
  return order.map((members) => {
    if (!members) return transactions[at++];
    const bundle = [Uint8Array.of(1)];
    for (const one of transactions.slice(at, at + Number(members))) {
      const length = new DataView(new ArrayBuffer(4));
      length.setUint32(0, one.length);
      bundle.push(new Uint8Array(length.buffer), one);
    }
    at += Number(members);
    return joined(...bundle);
  });
}

/** @param {Checked} evidence @param {string[]} shown @param {Trust} trust @returns {Promise<Verified>} */
export async function verifyRejection(evidence, shown, trust) {
  const { rejection: said, signed_header: signed } = evidence;
  requireEqual("signed_header.header.height", signed.header.height, said.height, "the rejection says");
  require(
    upper(await validatorsHash(trust.powers)) === signed.header.validators_hash,
    `trusted: not the validators of height ${said.height}, whose file is needed: the answer of a node that you trust to ` +
      `/api/v1/validators?height=${said.height}`,
  );
  await signersOf(signed, trust.powers);
  const word = await supported(evidence, shown, trust, signed.header.chain_id);
  const hash = word.isOmitted ? said.block : null;
  const head = await networkHead(said.height, said.time, said.proposer, trust.powers, shown, hash);
  return { ...word, head, isBound: true };
}

/** @param {Checked} evidence @param {Checked} event @param {string[]} shown @param {Trust} trust @returns {Promise<Verified>} */
export async function verifyBareRejection(evidence, event, shown, trust) {
  const said = evidence.rejection;
  const word = await supported(evidence, shown, trust, evidence.chain_id);
  const proposer = event.block.node_pubkey;
  const key = keyOf(proposer);
  if (key === null) throw new Refusal(`event.block.node_pubkey: ${proposer} is not a base58 key of 32 bytes`);
  const address = hex(await sha256(unhex(key))).slice(0, 40);
  requireEqual("event.block.node_pubkey", address, said.proposer, "the proposer's address is");
  const head = { height: said.height, timestamp: said.time, proposer, voters: [], id: null, signature: null };
  return { ...word, head, isBound: false };
}

/** Return what those who stand behind a rejection have signed. @param {Checked} evidence @param {string[]} shown @param {Trust} trust @param {string} chainId */
async function supported({ kind, rejection: said, support, unseen }, shown, { powers }, chainId) {
  const keys = await byAddress(powers);
  /** @type {Set<string>} */
  const signers = new Set();
  for (const [index, one] of support.entries()) {
    const where = `support[${index}]`;
    const key = keys.get(one.validator);
    if (key === undefined) throw new Refusal(`${where}: ${one.validator.slice(0, 40)} is none of the trusted validators`);
    const message = extensionBytes(chainId, one.height, one.round, one.extension);
    const says = rejectionsIn(one.extension);
    require(await isSigned(unhex(key), message, one.signature), `${where}: not a signature of its validator`);
    require(says.includes(written(said)), `${where}: does not say the rejection`);
    require(!signers.has(key), `${where}: ${one.validator} is listed twice`);
    signers.add(key);
  }
  let isOmitted = true;
  if (said.size > BODY_BYTES_MAX) {
    require(!shown.length && !unseen.length, "transactions: too large to be carried, yet there are some");
  } else {
    const digests = [];
    for (const one of merged(shown, unseen, (bytes) => !canBeCarried(bytes))) digests.push(await sha256(one));
    const body = hex(await sha256(joined(...digests)));
    require(body === said.body, "transactions: not those that the rejection names");
    isOmitted = unseen.length > 0;
  }
  return { kind, shown, reason: said.reason, chainId, power: powerOf([...signers], powers), isOmitted };
}

/** Return the text of a rejection as it is signed. @param {Checked} said */
const written = (said) =>
  `{"height":${said.height},"block":"${said.block}","proposer":"${said.proposer}","time":${said.time},` +
  `"body":"${said.body}","size":${said.size},"reason":"${said.reason}"}`;

/** Return the rejections of a vote's extension, each as it is signed; they ascend. @param {Uint8Array} extension */
function rejectionsIn(extension) {
  if (!extension.length) return [];
  require(extension.length <= EXTENSION_BYTES_MAX, `extension: at most ${EXTENSION_BYTES_MAX} bytes`);
  const text = textOf(extension);
  const list = parse(text);
  if (!Array.isArray(list)) throw new Refusal("extension: not an array");
  const all = list.map((one) => rejection(one, "extension"));
  const texts = all.map(written);
  require(`[${texts.join(",")}]` === text, "extension: not in canonical form");
  require(all.length > 0 && all.length <= EXTENSION_COUNT_MAX, `extension: 1 to ${EXTENSION_COUNT_MAX} rejections`);
  require(all.every((one, index) => index === 0 || isBefore(all[index - 1], one)), "extension: rejections must ascend");
  return texts;
}

/** @param {Checked} one @param {Checked} other */
function isBefore(one, other) {
  const member = Object.keys(one).find((name) => one[name] !== other[name]);
  return member !== undefined && one[member] < other[member];
}
