// The page: which screen an address behind `#` names, and what every screen gets.

import { keep, key, root, send } from "./api.js";
import { button, el, fill, revealed } from "./dom.js";
import { Live } from "./live.js";
import { frame, scopes } from "./parts/frame.js";
import { loading, trouble } from "./parts/state.js";
import { tick } from "./parts/time.js";
import { texts } from "./texts.js";

/**
 * What a screen gets. `signal` ends with the screen: give it to requests, listeners and timers.
 * @typedef {object} Context
 * @property {HTMLElement} main the screen's place; it holds an `h1` already
 * @property {string} id the part of the address behind the screen's name, "" without one
 * @property {URLSearchParams} query what stands behind `?` in the address
 * @property {AbortSignal} signal
 * @property {Live} live
 * @property {(text: string) => void} title writes the `h1` and the window's title
 * @property {(scope: string) => boolean} may whether to offer what needs a scope; true if the node does not say
 * @property {() => void} renew draws the screen anew
 */
/** @typedef {{ screen: (context: Context) => void | Promise<void> }} Screen */

/** @type {Record<string, { nav: string, load: () => Promise<Screen> }>} */
const SCREENS = {
  "": { nav: "overview", load: () => import("./screens/overview.js") },
  blocks: { nav: "blocks", load: () => import("./screens/blocks.js") },
  "blocks/": { nav: "blocks", load: () => import("./screens/block.js") },
  "invalid/": { nav: "blocks", load: () => import("./screens/block.js") },
  rejected: { nav: "blocks", load: () => import("./screens/rejected.js") },
  "transactions/": { nav: "blocks", load: () => import("./screens/transaction.js") },
  assets: { nav: "assets", load: () => import("./screens/blocks.js") },
  "assets/": { nav: "assets", load: () => import("./screens/asset.js") },
  "owners/": { nav: "assets", load: () => import("./screens/owner.js") },
  search: { nav: "", load: () => import("./screens/search.js") },
  delivery: { nav: "delivery", load: () => import("./screens/delivery.js") },
  "delivery/": { nav: "delivery", load: () => import("./screens/lane.js") },
  network: { nav: "network", load: () => import("./screens/network.js") },
  api: { nav: "api", load: () => import("./screens/api.js") },
};
const CODE = /^#code=(.+)$/;
const PULSE_MS = 1_000;

const live = new Live();
const { main, mark, tell } = frame(live, renew);
let leaving = new AbortController();
/** @type {string[] | null} */
let granted = null;
let version = "";

/** @param {string} scope */
function may(scope) {
  const isWithin = (/** @type {string} */ one) => one.endsWith("*") && scope.startsWith(one.slice(0, -1));
  return granted === null || granted.includes(scope) || granted.some(isWithin);
}

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [path = "", search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/");
  const found = SCREENS[rest.join("/") ? `${name}/` : name] ?? SCREENS[""];
  const heading = el("h1", null, texts.name);
  fill(main, heading, loading());
  mark(found?.nav ?? "");
  /** @param {string} text */
  const title = (text) => {
    fill(heading, text);
    document.title = `${revealed(text)} · ${texts.name}`;
  };
  const waiting = setTimeout(pulse, PULSE_MS);
  signal.addEventListener("abort", () => clearTimeout(waiting));
  const id = decoded(rest.join("/"));
  const query = new URLSearchParams(search);
  let module;
  try {
    module = await found?.load();
  } catch {
    const problem = { status: 0, message: texts.problem.part, retryAfter: null };
    if (!signal.aborted) fill(main, heading, trouble(problem, reload)); // a browser may not fetch a module twice
    return;
  }
  if (signal.aborted) return;
  fill(main, heading);
  main.dataset.screen = name || "overview";
  await module?.screen({ main, id, query, signal, live, title, may, renew });
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Read everything again: after another key, or when the node has another log. */
async function renew() {
  if (live.state.kind !== "live") live.token = null;
  granted = await scopes();
  await show();
}

/** Follow the log if the screen follows nothing, so that the state of the node is seen everywhere. */
function pulse() {
  if (live.token === null) live.resume();
}

/** A code of `bigchaindb page` is good once; it leaves the address before anything else happens. */
async function exchangeCode() {
  const code = CODE.exec(location.hash)?.[1];
  if (!code) return;
  history.replaceState(null, "", "#/");
  const before = key();
  keep(null); // a key that is over would have the exchange refused
  const { value, problem } = await send("POST", "access/exchange", { code: decoded(code) });
  keep(problem === null ? value.key : before);
  if (problem !== null) tell(problem.message);
}

function reload() {
  location.reload();
}

async function compareVersion() {
  const { value } = await root();
  if (!value) return;
  if (version && value.version !== version) {
    tell(texts.live.version(value.version), button(texts.live.reload, reload));
  }
  version ||= value.version;
}

await exchangeCode();
addEventListener("hashchange", () => {
  if (CODE.test(location.hash)) exchangeCode().then(renew);
  else show();
  scrollTo(0, 0);
});
let before = live.state.kind;
live.watch(({ kind }) => {
  if (kind === "live" && before !== "live") compareVersion();
  if (kind === "lost") setTimeout(renew, 1_000);
  before = kind;
});
tick();
renew();
