// Plugins, sinks and subscriptions in one table: all of them are lanes.

import { el } from "../dom.js";
import { lanesTable } from "../parts/lanes.js";
import { texts } from "../texts.js";

/** @param {import("../app.js").Context} context */
export async function screen(context) {
  context.title(texts.delivery.title);
  const list = lanesTable(context, true);
  context.main.append(el("p", { class: "dim" }, texts.delivery.lead), el("section", { class: "card" }, list.node));
}
