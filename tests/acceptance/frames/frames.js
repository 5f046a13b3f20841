// Reads the frames of subscriptions, one a line: what it took from each is a line out, and the frame as it writes it.
import { createInterface } from "node:readline";

for await (const line of createInterface({ input: process.stdin })) {
  const frame = JSON.parse(line);
  const { type, tags = [], events = [], stale = [], ref = null, lag = 0 } = frame;
  const given = events.map(({ tag, attempt, event }) => [tag, attempt, event.id]);
  console.log(JSON.stringify({ took: { type, tags, given, stale, ref, lag }, wrote: JSON.stringify(frame) }));
}
