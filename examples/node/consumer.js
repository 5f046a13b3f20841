// Works on each event of a subscription, acknowledges it afterwards, and connects again whenever it must:
//   BIGCHAINDB_ACCESS_KEY_FILE=key node consumer.js wss://ledger.example:9984/api/v1/subscriptions/billing
// NODE_EXTRA_CA_CERTS names the file of an authority of your own. Exits with 1 where coming back does not help.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

const STOPS = [400, 401, 403, 404, 1008, 1009, 4400, 4404];
const SILENCE_MS = 45_000; // the node sends something each 15 s

async function work(event) {
  console.log(JSON.stringify(event)); // an event may come again after a failure: its `id` is the same then
}

function authorization() {
  const file = process.env.BIGCHAINDB_ACCESS_KEY_FILE; // read each time: a new key replaces an expired one
  try {
    return file ? { Authorization: `Bearer ${readFileSync(file, "utf8").trim()}` } : {};
  } catch (error) {
    console.error(`BIGCHAINDB_ACCESS_KEY_FILE names a file that cannot be read: ${error.message}`);
    process.exit(1);
  }
}

async function consume(url) {
  const options = { headers: authorization(), maxPayload: 8 * 2 ** 20, handshakeTimeout: 10_000 };
  const socket = new WebSocket(url, "bigchaindb.subscription.v1", options);
  const send = (frame) => socket.send(JSON.stringify(frame), () => {}); // a broken connection ends the loop below
  const silence = setTimeout(() => socket.terminate(), SILENCE_MS);
  const held = new Map(); // events by tag, in the order of the work
  let end, done, wake;
  const change = () => new Promise((resolve) => (wake = resolve));

  socket.on("message", (data) => {
    const frame = JSON.parse(data);
    if (frame.type === "events") frame.events.forEach(({ tag, event }) => held.set(tag, event));
    if (frame.type === "revoked") frame.tags.forEach((tag) => held.delete(tag)); // they come again, or go elsewhere
    if (frame.type === "done") done = frame.ref;
    wake?.(silence.refresh());
  });
  socket.on("unexpected-response", (request, response) => {
    end = { code: response.statusCode, waitMs: 1000 * (response.headers["retry-after"] ?? 0) };
    socket.terminate();
  });
  socket.on("error", (error) => console.error(error.message));
  socket.on("close", (code) => { end ??= { code, waitMs: 0 }; wake?.(); });

  while (!end) {
    for (const [tag, event] of held) {
      held.delete(tag);
      try {
        await work(event);
        send({ type: "ack", tags: [tag] });
      } catch (error) { // it comes again; what waits behind it is revoked before `done`
        send({ type: "nack", tags: [tag], error: String(error), ref: tag });
        while (!end && done !== tag) await change();
      }
      if (end) break;
    }
    if (!end) await change();
  }
  clearTimeout(silence);
  return end;
}

for (;;) {
  const { code, waitMs } = await consume(process.argv[2]);
  if (STOPS.includes(code)) { console.error(`ended with ${code}`); process.exit(1); }
  await sleep(Math.max(waitMs, 500));
}
