// Buttons that change something. While the page shows what may be old they are disabled.

import { el } from "../dom.js";

/**
 * @param {import("../app.js").Context} context
 * @param {string} label
 * @param {() => Promise<unknown>} run
 * @param {{ danger?: boolean, title?: string }} [options]
 */
export function order(context, label, run, { danger = false, title } = {}) {
  const button = el("button", { type: "button", class: danger ? "button danger" : "button", title }, label);
  let isBusy = false;
  let isStale = false;
  const update = () => {
    button.disabled = isBusy || isStale;
  };
  button.addEventListener("click", async () => {
    isBusy = true;
    update();
    await run();
    isBusy = false;
    update();
  });
  context.live.watch(({ kind }) => {
    isStale = kind === "broken" || kind === "lost";
    update();
  }, context.signal);
  return button;
}
