// What surrounds every screen: navigation, search box, state of the stream, access, light or dark.

import { get, keep, key, send } from "../api.js";
import { button, el, fill } from "../dom.js";
import { span } from "../format.js";
import { texts } from "../texts.js";
import { question } from "./dialog.js";
import { icon } from "./icons.js";
import { quoted } from "./state.js";

const NAV = /** @type {const} */ (["overview", "blocks", "assets", "delivery", "network", "api"]);
const THEMES = ["auto", "light", "dark"];
const THEME = "bigchaindb.theme";
const TOLD = "told"; // in the bar, until a person has read it
const NONE_TO_REVOKE = new Set([401, 403, 404, 409]); // the key is over, or was not made for this page
const SIGNS = { idle: "○", connecting: "◌", live: "●", broken: "▲", hidden: "○", denied: "○", lost: "▲" };

/**
 * @param {import("../live.js").Live} live
 * @param {() => void} renew draws the screen anew
 */
export function frame(live, renew) {
  const main = el("main", { id: "content", tabindex: -1 });
  const status = el("span", { class: "status", role: "status" });
  const bar = el("div", { class: "bar", role: "alert", hidden: true });
  const box = searchBox();
  const links = NAV.map((name) =>
    el(
      "a",
      { href: `#/${name === "overview" ? "" : name}`, "data-nav": name },
      icon(name),
      el("span", null, texts.nav[name]),
    ),
  );
  const access = el("button", { type: "button", class: "tool", title: texts.key.menu }, icon("key"));
  access.setAttribute("aria-label", texts.key.menu);
  const tell = (/** @type {string} */ words, /** @type {HTMLElement} */ button = closing(bar)) => {
    bar.dataset.kind = TOLD;
    bar.hidden = false;
    fill(bar, el("span", null, quoted(words)), button);
  };
  access.addEventListener("click", () => (key() ? lock(renew, tell) : giveKey(renew)));
  addEventListener("key-wanted", () => giveKey(renew));
  document.body.append(
    el("a", { class: "skip", href: "#content", onclick: skip }, texts.skip),
    el(
      "header",
      { class: "top" },
      el(
        "a",
        { class: "brand", href: "#/" },
        el("img", { src: new URL("../icon.svg", import.meta.url).href, alt: "", width: 24, height: 24 }),
        texts.name,
      ),
      el("nav", { "aria-label": texts.nav.label }, links),
      box,
      status,
      themeSwitch(),
      access,
    ),
    bar,
    main,
    el("div", { class: "sr", role: "status", id: "news" }),
  );
  live.watch((state) => showState(status, bar, live, state));
  setInterval(() => live.state.kind === "broken" && showState(status, bar, live, live.state), 1_000);
  return { main, mark: (/** @type {string} */ name) => mark(links, name), tell };

  /** @param {Event} event */
  function skip(event) {
    event.preventDefault();
    main.focus();
  }
}

/** @param {HTMLElement} bar */
function closing(bar) {
  const close = () => {
    bar.dataset.kind = "";
    bar.hidden = true;
  };
  return button(texts.proof.close, close);
}

function searchBox() {
  const input = el("input", { type: "search", placeholder: texts.search.hint, "aria-label": texts.search.label });
  const form = el(
    "form",
    { class: "search", role: "search" },
    icon("search"),
    input,
    el("kbd", { "aria-hidden": "true" }, "/"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim()) location.hash = `#/search?text=${encodeURIComponent(input.value.trim())}`;
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || isTyping(event)) return;
    event.preventDefault();
    input.focus();
  });
  return form;
}

/** @param {KeyboardEvent} event */
export function isTyping(event) {
  const on = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
  return Boolean(on) || event.ctrlKey || event.metaKey || event.altKey;
}

function themeSwitch() {
  const button = el("button", { type: "button", class: "tool" }, icon("theme"));
  const show = () => {
    const chosen = localStorage.getItem(THEME) ?? "auto";
    document.documentElement.dataset.theme = chosen;
    const name = texts.theme.names[/** @type {"auto"} */ (chosen)];
    button.title = `${texts.theme.label}: ${name}`;
    button.setAttribute("aria-label", button.title);
  };
  button.addEventListener("click", () => {
    const next = (THEMES.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % THEMES.length;
    localStorage.setItem(THEME, THEMES[next] ?? "auto");
    show();
  });
  show();
  return button;
}

/** @param {() => void} renew */
async function giveKey(renew) {
  if (document.querySelector("dialog")) return;
  const fields = [{ name: "key", label: texts.key.label, type: "password", required: true }];
  const given = await question(texts.key.title, el("p", null, quoted(texts.key.text)), {
    confirm: texts.key.use,
    fields,
  });
  if (given === null) return;
  keep((given.key ?? "").trim());
  renew();
}

/** @param {() => void} renew @param {(words: string) => void} tell */
async function lock(renew, tell) {
  if ((await question(texts.key.lockTitle, texts.key.lockText, { confirm: texts.key.lock })) === null) return;
  const { problem } = await send("POST", "access/lock");
  if (problem !== null && !NONE_TO_REVOKE.has(problem.status)) return tell(texts.key.notLocked(problem.message));
  keep(null);
  renew();
}

/**
 * What the key of this tab may do; null if the node does not say.
 * @returns {Promise<string[] | null>}
 */
export async function scopes() {
  const { value } = await get("access/self");
  return value?.scopes ?? null;
}

/**
 * @param {HTMLElement} status
 * @param {HTMLElement} bar
 * @param {import("../live.js").Live} live
 * @param {import("../live.js").State} state
 */
function showState(status, bar, live, { kind, since, problem }) {
  status.className = `status ${kind}`;
  if (status.dataset.kind !== kind) fill(status, el("i", { "aria-hidden": "true" }, SIGNS[kind]), texts.live[kind]);
  status.dataset.kind = kind;
  document.documentElement.classList.toggle("stale", kind === "broken");
  const said = words();
  bar.hidden = said === null && bar.dataset.kind !== TOLD;
  if (said === null || bar.textContent?.startsWith(said)) return;
  bar.dataset.kind = kind;
  const again = button(texts.live.again, () => live.resume());
  fill(bar, el("span", null, said), kind === "broken" && again);

  function words() {
    if (kind === "lost") return texts.live.lostBar;
    if (kind === "denied") return bar.dataset.kind === TOLD ? null : texts.live.deniedBar;
    if (kind !== "broken") return null;
    if (problem?.status) return texts.live.full(problem.message);
    const clock = new Date(since).toLocaleTimeString(undefined, { hour12: false });
    return texts.live.broke(span(Math.max(1, (Date.now() - since) / 1000)), clock);
  }
}

/**
 * @param {readonly HTMLElement[]} links
 * @param {string} name
 */
function mark(links, name) {
  for (const link of links) {
    if (link.dataset.nav === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
