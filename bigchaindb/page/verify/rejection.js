/**
 * What proves an invalid block of a network: votes against a proposal, which name a rejection.
 *
 * @typedef {import("./proof.js").Verified} Verified
 * @typedef {import("./trust.js").Trust} Trust
 * @typedef {Record<string, any>} Checked what a shape returned
 */

import { canBeCarried, merged, networkHead, powerOf, require, requireEqual, textOf } from "./block.js";
import { hex, keyOf, unhex } from "./bytes.js";
import { signersOf, upper } from "./commit.js";
import { byAddress, extensionBytes, isSigned, sha256, validatorsHash } from "./engine.js";
import { parse, Refusal } from "./json.js";
import { rejection } from "./shapes.js";

const DIGEST_BYTES = 32;
const BODY_BYTES_MAX = 1_048_576n;
const EXTENSION_BYTES_MAX = 16_384;
const EXTENSION_COUNT_MAX = 16;

/** @param {Checked} evidence @param {string[]} shown @param {Trust} trust @returns {Promise<Verified>} */
export async function verifyRejection(evidence, shown, trust) {
  const { rejection: said, signed_header: signed } = evidence;
  requireEqual("signed_header.header.height", signed.header.height, said.height, "the rejection says");
  require(upper(await validatorsHash(trust.powers)) ===
    signed.header
      .validators_hash, `trusted: not the validators of height ${said.height}, whose file is needed: the answer of a node that you trust to ` +
    `/api/v1/validators?height=${said.height}`);
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
    if (key === undefined)
      throw new Refusal(`${where}: ${one.validator.slice(0, 40)} is none of the trusted validators`);
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
    const all = merged(shown, unseen, (bytes) => !canBeCarried(bytes));
    const digests = new Uint8Array(DIGEST_BYTES * all.length);
    for (const [index, one] of all.entries()) digests.set(await sha256(one), DIGEST_BYTES * index);
    const body = hex(await sha256(digests));
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
