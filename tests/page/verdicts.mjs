// Answers each line of a file with one line: what the pure modules of the page say. Usage: node verdicts.mjs FILE

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { follow } from "./provenance.js";
import { blockText, documentText, textOf } from "./verify/block.js";
import { canonical } from "./verify/canonical.js";
import { parse } from "./verify/json.js";
import { Refusal, readTrust, verify } from "./verify/proof.js";
import { sha3 } from "./verify/sha3.js";
import { idOf } from "./verify/transaction.js";

const bytes = (text) => Uint8Array.from(Buffer.from(text, "base64"));

/** Return the body of the event that was proven, canonical, without what was not. */
function provenBody({ head, shown, reason, isOmitted, isBound }) {
  const block = isBound ? blockText(head, shown) : blockText(head, shown).replace(/,"voters":\[\]}$/, "}");
  const id = isBound ? `,"id":"${head.id}"` : "";
  const why = reason === null ? "" : `,"reason":${JSON.stringify(reason)}`;
  const tail = `,"height":${head.height}${id}${why},"signature":${JSON.stringify(head.signature)}}`;
  return `{"block":${block}${isOmitted ? ',"body_omitted":true' : ""}${tail}`;
}

const answers = {
  async verify({ document, trust }) {
    const verified = await verify(bytes(document), readTrust(bytes(trust)));
    const { kind, power, chainId, isBound } = verified;
    return { kind, power: String(power), chain_id: chainId, is_bound: isBound, body: provenBody(verified) };
  },
  canonical: ({ text, version }) => ({ text: canonical(parse(text), version === "1.0") }),
  document: ({ text }) => ({ text: documentText(parse(text)) }),
  provenance({ rows, size, newest }) {
    const answer = { lanes: [], behind: [], strokes: [] };
    for (let at = 0; at < rows.length; at += size) {
      const { lanes, strokes } = follow(rows.slice(at, at + size), answer.lanes, newest);
      answer.lanes = lanes;
      answer.behind.push(lanes);
      answer.strokes.push(...strokes);
    }
    return answer;
  },
  id: ({ document }) => ({ id: idOf(parse(textOf(bytes(document)))) }),
  sha3: ({ message }) => ({ digest: Buffer.from(sha3(bytes(message))).toString("hex") }),
};

for await (const line of createInterface({ input: createReadStream(process.argv[2]) })) {
  const question = JSON.parse(line);
  try {
    console.log(JSON.stringify(await answers[question.ask](question)));
  } catch (error) {
    console.log(JSON.stringify(error instanceof Refusal ? { refused: error.message } : { defect: error.stack }));
  }
}
