/** Whom the reader of a proof believes, from a file of the reader's own. Source: docs/reference/proofs.md. */

import { hex } from "./bytes.js";
import { Refusal } from "./json.js";
import { bytes, list, nullable, object, refuse, text, VALIDATOR_COUNT_MAX, whole } from "./shapes.js";

/**
 * @typedef {import("./shapes.js").Shape} Shape
 * @typedef {{ powers: Map<string, bigint>, chainId: string | null }} Trust powers by public key in hex
 */

/** @type {Shape} */
const trustedKey = (value, place) => {
  const found = object({ value: bytes(32, false) }, {}, true)(value, place).value;
  return found.length === 32 ? hex(found) : refuse(place, "must be a key of 32 bytes");
};
/** @type {Shape} */
const powerText = (value, place) => nullable(text(/^[1-9][0-9]{0,17}$/))(value, place) ?? "0";
const ofApi = list(
  object({ public_key: trustedKey, voting_power: whole(1n, 2n ** 60n - 1n) }, {}, true),
  VALIDATOR_COUNT_MAX,
);
const ofEngine = object(
  {
    validators: list(
      object(
        { pub_key: trustedKey, power: powerText, voting_power: powerText },
        { power: "0", voting_power: "0" },
        true,
      ),
      VALIDATOR_COUNT_MAX,
    ),
    chain_id: nullable(text(null)),
  },
  { chain_id: null },
  true,
);

/**
 * Return whom a file of the reader names: the answer of /api/v1/validators, a genesis.json, or the engine's own list.
 *
 * @param {import("./json.js").Json} value
 * @returns {Trust}
 */
export function trusted(value) {
  /** @type {[string, bigint][]} */
  let pairs;
  let chainId = null;
  if (Array.isArray(value)) {
    pairs = ofApi(value, "validators").map((/** @type {any} */ one) => [one.public_key, one.voting_power]);
  } else {
    const found = ofEngine(value, "genesis");
    chainId = found.chain_id;
    pairs = found.validators.map((/** @type {any} */ one) => [
      one.pub_key,
      BigInt(one.power === "0" ? one.voting_power : one.power),
    ]);
  }
  const powers = new Map(pairs.filter(([, power]) => power));
  if (!pairs.length || powers.size !== pairs.length) {
    throw new Refusal("lists no validator, one twice, or one without power");
  }
  return { powers, chainId };
}
