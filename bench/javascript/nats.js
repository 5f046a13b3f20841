// The peer of `python -m bench subscriptions`: node nats.js PORT FILE COUNT WINDOW. It fills a stream with the lines of
// FILE, in turn, until it has COUNT, then a durable pull consumer takes all of them, each acknowledged by itself, which
// is the only way that "explicit" knows; the last one's acknowledgement is confirmed.
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const [port, file, count, window] = process.argv.slice(2);
const bodies = readFileSync(file, "utf8").trimEnd().split("\n");
const connection = await connect({ servers: `127.0.0.1:${port}` });
const manager = await jetstreamManager(connection);
await manager.streams.add({ name: "bench", subjects: ["bench"] });
const client = jetstream(connection);
for (let sent = 0; sent < count; ) {
  const some = [];
  for (; some.length < 256 && sent < count; sent++) some.push(client.publish("bench", bodies[sent % bodies.length]));
  await Promise.all(some);
}
process.stdout.write(JSON.stringify({ filled: true }) + "\n");

for await (const _ of process.stdin) { // a line begins a round, with a consumer of its own
  const name = `c${performance.now()}`.replace(".", "");
  await manager.consumers.add("bench", { durable_name: name, ack_policy: AckPolicy.Explicit, max_ack_pending: Number(window) });
  const consumer = await client.consumers.get("bench", name);
  const begin = performance.now(), beginCpu = process.cpuUsage();
  let taken = 0;
  for await (const message of await consumer.consume({ max_messages: Number(window) })) {
    JSON.parse(message.string());
    if (++taken < count) message.ack();
    else { await message.ackAck(); break; }
  }
  const { user, system } = process.cpuUsage(beginCpu);
  process.stdout.write(JSON.stringify({ seconds: (performance.now() - begin) / 1000, cpuUs: (user + system) / taken }) + "\n");
  await manager.consumers.delete("bench", name);
}
