// The one stream of a tab: `/api/v1/events` read with `fetch`, which can send a key and see 401, 410 and 503.

import { address, ask, failure, get, problemOf } from "./api.js";

/**
 * `hidden`: nobody looks, so there is no stream. `denied`: 401 or 403. `lost`: 410, the log is another one.
 * @typedef {"idle" | "connecting" | "live" | "broken" | "hidden" | "denied" | "lost"} Kind
 * @typedef {{ kind: Kind, since: number, problem: import("./api.js").Problem | null, retryAt: number | null }} State
 * @typedef {{ id: string, type: string, sequence: string, time: string, subject: string, data: any }} CloudEvent
 * @typedef {(events: CloudEvent[], skipped: number) => void} Handler
 */

const RETRY_S_MAX = 30;
const SILENCE_MS = 5_000;
const PROBE_MS = 3_000;
const HEAD = { before: "now", limit: 1, detail: "summary" };
const RENDER_MS = 250;
const KEPT_MAX = 200;

export class Live {
  /** @type {State} */
  state = { kind: "idle", since: Date.now(), problem: null, retryAt: null };
  /** @type {string | null} */
  token = null;
  /** @type {Record<string, string>} */
  #query = {};
  /** @type {Handler} */
  #handler = () => {};
  /** @type {Set<(state: State) => void>} */
  #witnesses = new Set();
  /** @type {CloudEvent[]} */
  #pending = [];
  #skipped = 0;
  #failures = 0;
  #heardAt = 0;
  /** @type {number | undefined} */
  #render;
  /** @type {number | undefined} */
  #retry;
  /** @type {AbortController | null} */
  #stream = null;

  constructor() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#hide() : this.resume()));
    addEventListener("online", () => this.resume());
  }

  /**
   * Follow the log behind a token until the signal; what was followed before ends.
   * @param {Record<string, string>} query filters
   * @param {string} token where a list ended
   * @param {Handler} handler gets events in order, at most four times a second, and how many older ones it missed
   * @param {AbortSignal} signal
   */
  follow(query, token, handler, signal) {
    if (signal.aborted) return;
    this.#drop();
    this.token = token;
    this.#query = query;
    this.#handler = handler;
    signal.addEventListener("abort", () => {
      if (this.#handler === handler) this.#handler = () => {};
    });
    this.resume();
  }

  /**
   * @param {(state: State) => void} witness called now and at each change
   * @param {AbortSignal} [signal]
   */
  watch(witness, signal) {
    this.#witnesses.add(witness);
    signal?.addEventListener("abort", () => this.#witnesses.delete(witness));
    witness(this.state);
  }

  /** Connect now: at the token, without one at the head. */
  resume() {
    clearTimeout(this.#retry);
    if (document.hidden) return;
    this.#stream?.abort();
    this.#stream = new AbortController();
    if (this.state.kind !== "broken") this.#enter("connecting");
    this.#read(this.#stream);
  }

  #hide() {
    this.#drop();
    this.#enter("hidden");
  }

  #drop() {
    clearTimeout(this.#retry);
    this.#stream?.abort();
    this.#stream = null;
    this.#flush();
  }

  /** @param {AbortController} stream */
  async #read(stream) {
    const probe = setInterval(() => this.#probe(stream), SILENCE_MS);
    try {
      if (this.token === null) {
        const { value, problem } = await get("events", HEAD, stream.signal);
        if (problem) return this.#refused(stream, problem);
        if (stream === this.#stream) this.token = value.live;
      }
      const url = address("events", { ...this.#query, detail: "summary", after: this.token });
      const response = await ask("GET", url, undefined, stream.signal, "text/event-stream");
      if (!response.ok || !response.body) return this.#refused(stream, problemOf(response, await response.text()));
      this.#heard();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { done, value } = await reader.read();
        if (done || stream.signal.aborted) break;
        this.#heard();
        const messages = (rest + value).split("\n\n");
        rest = messages.pop() ?? "";
        for (const message of messages) this.#take(message);
      }
      this.#broken(stream, failure(null));
    } catch (error) {
      this.#broken(stream, failure(error));
    } finally {
      clearInterval(probe);
    }
  }

  /** @param {string} message */
  #take(message) {
    for (const line of message.split("\n")) {
      if (line.startsWith("id: ")) this.token = line.slice(4);
      if (line.startsWith("data: ")) this.#pending.push(JSON.parse(line.slice(6)));
    }
    if (this.#pending.length > KEPT_MAX) this.#skipped += this.#pending.splice(0, 1).length;
    this.#render ??= setTimeout(() => this.#flush(), RENDER_MS);
  }

  #flush() {
    clearTimeout(this.#render);
    this.#render = undefined;
    const [events, skipped] = [this.#pending, this.#skipped];
    [this.#pending, this.#skipped] = [[], 0];
    if (events.length > 0) this.#handler(events, skipped);
  }

  /** @param {AbortController} stream A node that is stopped keeps it: after a silence it is asked for anything. */
  async #probe(stream) {
    if (Date.now() - this.#heardAt < SILENCE_MS || this.state.kind !== "live") return;
    try {
      await ask("GET", address(""), undefined, AbortSignal.timeout(PROBE_MS));
      this.#heardAt = Date.now();
    } catch (error) {
      this.#broken(stream, failure(error));
      stream.abort();
    }
  }

  #heard() {
    this.#heardAt = Date.now();
    this.#failures = 0;
    if (this.state.kind !== "live") this.#enter("live");
  }

  /**
   * @param {AbortController} stream
   * @param {import("./api.js").Problem} problem
   */
  #refused(stream, problem) {
    if (stream !== this.#stream) return;
    if (problem.status === 410) this.#enter("lost", problem);
    else if (problem.status === 401 || problem.status === 403) this.#enter("denied", problem);
    else this.#broken(stream, problem);
  }

  /**
   * @param {AbortController} stream
   * @param {import("./api.js").Problem} problem
   */
  #broken(stream, problem) {
    if (stream !== this.#stream || stream.signal.aborted) return;
    this.#flush();
    const pause_s = Math.min(RETRY_S_MAX, 2 ** this.#failures++) * (0.5 + Math.random() / 2);
    const since = this.state.kind === "broken" ? this.state.since : this.#heardAt || Date.now();
    this.#enter("broken", problem, Date.now() + pause_s * 1000, since);
    this.#retry = setTimeout(() => this.resume(), pause_s * 1000);
  }

  /**
   * @param {Kind} kind
   * @param {import("./api.js").Problem | null} [problem]
   * @param {number | null} [retryAt]
   */
  #enter(kind, problem = null, retryAt = null, since = Date.now()) {
    this.state = { kind, since, problem, retryAt };
    for (const witness of this.#witnesses) witness(this.state);
  }
}
