// A consumer of `python -m bench subscriptions`: node subscriber.js [PORT]. At PORT it listens for heads of the log,
// beside which it times events. A line on standard input is its plan, as JSON:
//   urls      of subscriptions, one connection each
//   count     events to take on each; then it prints what it saw, and ends
//   answer    whether it acknowledges: the events of a frame in one answer once it has taken all of them
import { once } from "node:events";
import { createServer } from "node:net";
import { performance } from "node:perf_hooks";
import WebSocket from "ws";

const port = Number(process.argv[2] ?? 0);
const monotonicS = () => Number(process.hrtime.bigint()) / 1e9; // the clock of Python's time.monotonic
const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const seen = { events: {}, heads: {} };

if (port) {
  const server = createServer((connection) => connection.on("data", (data) => {
    const at = monotonicS();
    for (let place = 0; place < data.length; place += 16)
      seen.heads[Number(data.readBigUInt64BE(place))] = [data.readDoubleBE(place + 8), at];
  })).listen(port, "127.0.0.1");
  await once(server, "listening");
  tell({ listening: true });
}
const plan = JSON.parse((await once(process.stdin, "data"))[0]);

function consume(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, "bigchaindb.subscription.v1", { maxPayload: 8 << 20, perMessageDeflate: false });
    let taken = 0, begin, beginCpu;
    socket.on("error", reject);
    socket.on("message", (data) => {
      const frame = JSON.parse(data);
      if (frame.type === "attached") {
        begin = performance.now(); beginCpu = process.cpuUsage();
        tell({ attached: true });
      } else if (frame.type === "events") {
        if (port) for (const { event } of frame.events) seen.events[Number(event.sequence.slice(0, 20))] ??= monotonicS();
        if (!taken) tell({ first: monotonicS() });
        taken += frame.events.length;
        const isLast = taken >= plan.count;
        if (plan.answer)
          socket.send(JSON.stringify({ type: "ack", tags: frame.events.map((one) => one.tag), ...(isLast && { ref: 1 }) }));
        else tell({ held: taken });
      } else if (frame.type === "done") {
        const { user, system } = process.cpuUsage(beginCpu);
        resolve({ seconds: (performance.now() - begin) / 1000, events: taken, cpuUs: (user + system) / taken });
        socket.close();
      }
    });
  });
}

const results = await Promise.all(plan.urls.map(consume));
tell({ done: results, ...(port && { seen }) });
process.exit();
