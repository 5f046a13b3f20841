// A piece of a screen that is read again every two seconds. What is shown stays while the node does not answer.

import { get } from "../api.js";
import { el, fill } from "../dom.js";
import { loading, trouble } from "./state.js";

const EVERY_MS = 2_000;
// The same question will have the same answer until a person does something.
const FINAL = new Set([400, 401, 403, 404, 410]);

/**
 * @param {import("../app.js").Context} context
 * @param {string} path below `/api/v1/`
 * @param {(value: any) => import("../dom.js").Child} show returns what is shown, the same elements each time
 * @param {{ missing?: () => import("../dom.js").Child }} [options] `missing`: shown for a 404
 */
export function polled({ signal, live }, path, show, { missing } = {}) {
  const node = el("div", { class: "answered" }, loading());
  let isShown = false;
  let isBusy = false;
  let isOver = false;

  const update = async () => {
    if (isBusy) return;
    isBusy = true;
    const { value, problem } = await get(path, {}, signal);
    isBusy = false;
    if (signal.aborted) return;
    isOver = problem !== null && FINAL.has(problem.status);
    if (problem === null) {
      const shown = show(value);
      if (!isShown) fill(node, shown);
      isShown = true;
    } else if (isOver || !isShown) {
      isShown = false;
      fill(node, problem.status === 404 && missing ? missing() : trouble(problem, update));
    }
  };
  const timer = setInterval(() => {
    if (!document.hidden && !isOver && live.state.kind !== "broken") update();
  }, EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  update();
  return { node, update };
}
