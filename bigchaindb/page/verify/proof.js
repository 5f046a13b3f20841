/**
 * Checks proofs of events, for a reader who trusts some validators' keys and nobody else; the verdict is that of
 * `bigchaindb verify`. Nothing in a proof is believed: from trusted keys follow signatures, from those hashes, and from
 * what was hashed the event is made anew. Source: docs/reference/proofs.md.
 *
 * @typedef {import("./trust.js").Trust} Trust
 * @typedef {object} Verified
 * @property {string} kind of the evidence
 * @property {import("./block.js").Head} head made anew
 * @property {string[]} shown canonical texts of the event's transactions
 * @property {string | null} reason of an invalid block
 * @property {string | null} chainId that was signed; a node on its own signs none, and no height
 * @property {bigint} power of the trusted validators who signed
 * @property {boolean} isOmitted whether not all transactions are shown
 * @property {boolean} isBound whether id and voters are proven
 */

import {
  blockId,
  blockText,
  documentText,
  isDecisive,
  powerOf,
  require,
  requireEqual,
  textOf,
  totalOf,
} from "./block.js";
import { keyOf, unbase58, unhex, utf8 } from "./bytes.js";
import { canonical } from "./canonical.js";
import { verifyCommit } from "./commit.js";
import { isSigned } from "./engine.js";
import { checkedDocument, parse, Refusal } from "./json.js";
import { verifyBareRejection, verifyRejection } from "./rejection.js";
import { proof, vote } from "./shapes.js";
import { trusted } from "./trust.js";

const PROOF_BYTES_MAX = 16 * 1024 * 1024;
const TRUST_BYTES_MAX = 4 * 1024 * 1024;

/** Return whom a file of the reader names. @param {Uint8Array} bytes */
export function readTrust(bytes) {
  require(bytes.length <= TRUST_BYTES_MAX, `at most ${TRUST_BYTES_MAX} bytes, found ${bytes.length}`);
  return trusted(parse(textOf(bytes)));
}

/**
 * Return what a proof proves.
 *
 * @param {Uint8Array} bytes from anyone
 * @param {Trust} trust from the reader, never from the document
 * @returns {Promise<Verified>} a `Refusal`, if it proves nothing
 */
export async function verify(bytes, trust) {
  require(bytes.length <= PROOF_BYTES_MAX, `at most ${PROOF_BYTES_MAX} bytes, found ${bytes.length}`);
  const { event, evidence } = proof(parse(textOf(bytes)), "proof");
  const shown = event.block.transactions.map(documentText);
  const verified = await checked(event, evidence, shown, trust);
  const signed = `${verified.power} of the ${totalOf(trust.powers)} that are trusted`;
  require(isDecisive(verified.power, trust.powers), `power: ${signed} signed it; more than 2/3 are needed`);
  if (trust.chainId !== null && verified.chainId !== null) {
    requireEqual("chain_id", verified.chainId, trust.chainId, "trusted is");
  }
  requireSame(event, verified);
  return verified;
}

/** @param {Record<string, any>} event @param {Record<string, any>} evidence @param {string[]} shown @param {Trust} trust */
function checked(event, evidence, shown, trust) {
  if (evidence.kind === "node") return verifyNode(evidence, event, shown, trust);
  if (evidence.kind === "rejection") return verifyBareRejection(evidence, event, shown, trust);
  return evidence.kind === "rejection-2"
    ? verifyRejection(evidence, shown, trust)
    : verifyCommit(evidence, shown, trust);
}

/** Require that the document shows the event that was signed. @param {Record<string, any>} event @param {Verified} verified */
function requireSame(event, { head, reason, isOmitted, isBound }) {
  const says = "what was signed says";
  requireEqual("event.height", event.height, head.height, says);
  requireEqual("event.block.timestamp", event.block.timestamp, String(head.timestamp), says);
  requireEqual("event.block.node_pubkey", event.block.node_pubkey, head.proposer, says);
  if (isBound) {
    requireEqual("event.block.voters", event.block.voters, head.voters, says);
    requireEqual("event.id", event.id, head.id, says);
  }
  requireEqual("event.signature", event.signature, head.signature, says);
  requireEqual("event.reason", event.reason, reason, says);
  requireEqual("event.body_omitted", Boolean(event.body_omitted), isOmitted, says);
}

/**
 * Check the word of a node on its own: it covers the block, the decision and its reason, not the height.
 *
 * @param {Record<string, any>} evidence
 * @param {Record<string, any>} event
 * @param {string[]} shown
 * @param {Trust} trust
 * @returns {Promise<Verified>}
 */
async function verifyNode(evidence, event, shown, trust) {
  const { height, id, signature, reason } = event;
  const { node_pubkey: proposer, timestamp, voters } = event.block;
  const head = { height, timestamp: BigInt(timestamp), proposer, voters, id, signature };
  const text = blockText(head, shown);
  requireEqual("event.id", id, blockId(text), "the block's hash is");
  if (signature === null) require(reason !== null, "event.signature: missing");
  else require(await isSignedBy(proposer, text, signature), "event.signature: not of event.block.node_pubkey");
  const document = checkedDocument(evidence.vote);
  const found = vote(document, "vote");
  const content = canonical(document.get("vote") ?? null, true);
  require(await isSignedBy(found.node_pubkey, content, found.signature), "vote: not signed by its node_pubkey");
  requireEqual("vote.node_pubkey", found.node_pubkey, proposer, "the block is by");
  requireEqual("vote.voting_for_block", found.vote.voting_for_block, id, "the event is about");
  requireEqual("vote.is_block_valid", found.vote.is_block_valid, reason === null, "the event says");
  requireEqual("vote.invalid_reason", found.vote.invalid_reason, reason, "the event says");
  const power = powerOf([/** @type {string} */ (keyOf(proposer))], trust.powers);
  return { kind: "node", head, shown, reason, chainId: null, power, isOmitted: false, isBound: true };
}

/** @param {string} key base58 @param {string} message @param {string} signature base58 */
async function isSignedBy(key, message, signature) {
  const raw = keyOf(key);
  const signed = unbase58(signature, 64);
  return raw !== null && signed !== null && isSigned(unhex(raw), utf8(message), signed);
}

export { Refusal };
