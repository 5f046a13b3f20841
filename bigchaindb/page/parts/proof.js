// Proofs of a block or event: to check here, and to take along. They travel as bytes, since reading a number and
// writing it again may change the digits that were hashed.

import { getBytes } from "../api.js";
import { button, el, fill } from "../dom.js";
import { number, utc } from "../format.js";
import { texts } from "../texts.js";
import { blockId, command, owner } from "./id.js";
import { facts } from "./section.js";
import { loading, state, trouble } from "./state.js";

/** @typedef {import("../verify/proof.js").Verified} Verified */

const T = texts.proof;
const COMMAND = "bigchaindb verify proof.json --validators validators.json";

/**
 * @param {import("../app.js").Context} context
 * @param {string} path below `/api/v1/`: `blocks/42/proof`, `events/7/proof`
 * @param {string} block the id that the proof must be of
 */
export function proofActions({ signal }, path, block) {
  const said = el("div");
  const take = async () => {
    const { value, problem } = await getBytes(path, {}, signal);
    if (problem !== null) fill(said, trouble(problem, take));
    else save("proof.json", value);
  };
  const check = () => dialog(signal, path, block, take);
  return el("div", { class: "row end" }, button(T.check, check), button(T.download, take), said);
}

/**
 * @param {AbortSignal} signal
 * @param {string} path
 * @param {string} block
 * @param {() => void} take
 */
async function dialog(signal, path, block, take) {
  const file = el("input", { type: "file", accept: ".json,application/json", "aria-label": T.file });
  const own = el("input", { type: "radio", name: "trust", value: "file" });
  const named = el("input", { type: "radio", name: "trust", value: "node", checked: true });
  file.addEventListener("change", () => {
    own.checked = true;
  });
  const verdict = el("div", { class: "verdict", role: "status" });
  const close = button(T.close, () => asked.close());
  const run = el("button", { class: "button primary" }, T.check);
  const trust = el(
    "fieldset",
    null,
    el("legend", null, T.trust),
    el("label", { class: "choice" }, named, el("span", null, T.node)),
    el("label", { class: "choice" }, own, el("span", null, T.file, " ", file)),
  );
  const form = el(
    "form",
    null,
    el("h2", { id: "proof" }, T.title),
    trust,
    verdict,
    elsewhere(take),
    el("div", { class: "row end" }, close, run),
  );
  const asked = el("dialog", { class: "proof", "aria-labelledby": "proof" }, form);
  asked.addEventListener("close", () => asked.remove());
  signal.addEventListener("abort", () => asked.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    fill(verdict, loading(2));
    run.disabled = true;
    try {
      fill(verdict, await judged(signal, path, block, own.checked ? (file.files?.[0] ?? null) : "node"));
    } catch (error) {
      // As of a file that was moved since it was chosen, or of a proof that is too much for the browser.
      fill(verdict, state("warn", T.failed), el("p", null, T.failedWhy(String(error))));
    }
    run.disabled = false;
  });
  document.body.append(asked);
  asked.showModal();
  const { canVerify } = await import("../verify/engine.js");
  if (await canVerify()) return;
  fill(verdict, state("warn", T.cannot), el("p", null, T.cannotWhy));
  run.remove();
  trust.remove();
}

/** What the verdict of this page is worth, and how to have one without the node. @param {() => void} take */
function elsewhere(take) {
  const download = button(T.download, take, "link");
  return [el("p", { class: "dim" }, T.worth, " ", download), command(COMMAND)];
}

/**
 * @param {AbortSignal} signal
 * @param {string} path
 * @param {string} block
 * @param {File | "node" | null} chosen
 */
async function judged(signal, path, block, chosen) {
  if (chosen === null) return state("warn", T.noFile);
  const named =
    chosen === "node" ? await getBytes("validators", {}, signal) : { value: await read(chosen), problem: null };
  if (named.problem !== null) return trouble(named.problem);
  const proof = await getBytes(path, {}, signal);
  if (proof.problem !== null) return trouble(proof.problem);
  const { readTrust, Refusal, verify } = await import("../verify/proof.js");
  const { totalOf } = await import("../verify/block.js");
  const trusted = chosen === "node" ? T.node : T.named(chosen.name);
  try {
    const trust = readTrust(named.value);
    const verified = await verify(proof.value, trust);
    const { id } = verified.head;
    if (id !== null && id !== block) throw new Refusal(T.other(id));
    return proven(verified, totalOf(trust.powers), trusted);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return [state("bad", T.refused), el("p", null, error.message), facts([[T.trusted, trusted]])];
  }
}

/** @param {Verified} verified @param {bigint} total @param {string} trusted */
function proven({ head, shown, reason, chainId, power }, total, trusted) {
  const isSigned = chainId !== null;
  return [
    state("good", reason === null ? T.valid : T.invalid),
    facts([
      [T.height, isSigned ? number(head.height) : [number(head.height), " ", el("small", null, T.heightUnsigned)]],
      [T.reason, reason],
      [T.id, head.id === null ? T.unproven : blockId(head.id)],
      [T.time, utc(Number(head.timestamp))],
      [T.proposer, owner(head.proposer)],
      [T.transactions, number(shown.length)],
      [T.chain, chainId ?? T.chainUnsigned],
      [T.signed, T.power(number(power), number(total))],
      [T.trusted, trusted],
    ]),
  ];
}

/** @param {Blob} file */
const read = async (file) => new Uint8Array(await file.arrayBuffer());

/**
 * @param {string} name
 * @param {string | Uint8Array<ArrayBuffer>} content
 */
export function save(name, content) {
  const href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  el("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1_000);
}
