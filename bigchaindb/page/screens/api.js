// The HTTP API as this node describes it: operations by tag, a form for each GET, and its curl.

import { address, get, key, root } from "../api.js";
import { el, fill } from "../dom.js";
import { command } from "../parts/id.js";
import { answered } from "../parts/section.js";
import { quoted } from "../parts/state.js";
import { tree } from "../parts/tree.js";
import { texts } from "../texts.js";

/**
 * @typedef {{ name: string, in: "path" | "query" | "header", required?: boolean, description?: string, schema?: Schema }} Parameter
 * @typedef {{ type?: string | string[], enum?: unknown[], default?: unknown, minimum?: number, maximum?: number, pattern?: string }} Schema
 * @typedef {object} Operation
 * @property {string} [summary]
 * @property {string} [description]
 * @property {string[]} [tags]
 * @property {string} [operationId]
 * @property {Parameter[]} [parameters]
 * @property {Record<string, { description?: string, $ref?: string }>} responses
 * @property {{ content: Record<string, unknown> }} [requestBody]
 */
/** @typedef {{ path: string, method: string, operation: Operation }} Entry */

const T = texts.api;
const PREFIX = /^\/api\/v1\/?/;

/** @param {import("../app.js").Context} context */
export async function screen(context) {
  context.title(T.title);
  const read = () => get("openapi.json", {}, context.signal);
  const lead = el("p", { class: "dim" }, T.lead, " ", el("a", { href: address("openapi.json") }, T.document));
  context.main.append(
    lead,
    answered(context.signal, read, (described) => groups(context, described)),
  );
}

/**
 * @param {import("../app.js").Context} context
 * @param {any} described
 */
function groups(context, described) {
  /** @type {Map<string, Entry[]>} */
  const found = new Map();
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? path.replace(PREFIX, "").split("/")[0] ?? "";
      found.set(tag, [...(found.get(tag) ?? []), { path, method: method.toUpperCase(), operation }]);
    }
  }
  return [...found].map(([tag, entries]) =>
    el(
      "section",
      { class: "card" },
      el("h2", null, tag || "/"),
      entries.map((entry) => operationOf(context, entry, described.components?.responses ?? {})),
    ),
  );
}

/**
 * @param {import("../app.js").Context} context
 * @param {Entry} entry
 * @param {Record<string, { description?: string }>} shared answers that many operations have
 */
function operationOf(context, entry, shared) {
  const { path, method, operation } = entry;
  const name = el("span", { class: `method ${method.toLowerCase()}` }, method);
  const head = el(
    "summary",
    null,
    name,
    el("code", null, path),
    el("span", { class: "dim" }, quoted(operation.summary ?? "")),
  );
  const node = el("details", { class: "operation" }, head);
  // There are some sixty operations: what is inside is made when somebody opens it.
  node.addEventListener("toggle", () => {
    if (node.open && node.childElementCount === 1) node.append(inside(context, entry, shared));
  });
  return node;
}

/**
 * @param {import("../app.js").Context} context
 * @param {Entry} entry
 * @param {Record<string, { description?: string }>} shared
 */
function inside(context, { path, method, operation }, shared) {
  const parameters = (operation.parameters ?? []).filter((one) => one.in !== "header");
  const form = el("form", { class: "try" }, parameters.map(field));
  const line = el("div");
  const answer = el("div");
  const asked = () => {
    const given = new FormData(form);
    const text = (/** @type {Parameter} */ one) => String(given.get(`${one.in} ${one.name}`) ?? "");
    const query = parameters.filter((one) => one.in === "query").map((one) => pair(one, text(one)));
    const named = parameters.filter((one) => one.in === "path" && text(one));
    const filled = named.reduce((whole, one) => whole.replace(`{${one.name}}`, encodeURIComponent(text(one))), path);
    return { below: filled.replace(PREFIX, ""), query: Object.fromEntries(query) };
  };
  const update = () => {
    const { below, query } = asked();
    const url = new URL(path === "/" ? "./" : address(below, query), document.baseURI).href;
    fill(line, command(curl(method, url, operation)));
  };
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { below, query } = asked();
    const read = () => (path === "/" ? root() : get(below, query, context.signal));
    fill(answer, answered(context.signal, read, tree));
  });
  if (method === "GET") form.append(el("button", { class: "button primary" }, T.send));
  update();
  const answers = Object.entries(operation.responses).map(([status, { description, $ref }]) => [
    el("dt", null, status),
    el("dd", null, description ?? shared[$ref?.split("/").at(-1) ?? ""]?.description ?? ""),
  ]);
  return el(
    "div",
    { class: "answered" },
    operation.description && el("p", null, quoted(operation.description)),
    form,
    line,
    answer,
    el("h3", null, T.answers),
    el("dl", { class: "answers" }, answers),
  );
}

/**
 * Return the name and value of an argument; of a family of names both are typed: `metadata.color=red`.
 * @param {Parameter} parameter
 * @param {string} text
 */
function pair({ name, schema }, text) {
  if (schema?.type !== "object") return [name, text];
  const [first = name, ...rest] = text.split("=");
  return [first, rest.join("=")];
}

/** @param {Parameter} parameter */
function field({ name, in: where, required = false, description, schema = {} }) {
  const input = el("input", { name: `${where} ${name}`, required, autocomplete: "off", spellcheck: "false" });
  const rule = [
    schema.enum ? schema.enum.join(", ") : [schema.type ?? ""].flat().join(", "),
    schema.minimum !== undefined && schema.maximum !== undefined ? T.range(schema.minimum, schema.maximum) : "",
    schema.default === undefined ? "" : T.byDefault(String(schema.default)),
    description ?? "",
  ];
  const label = el("span", null, el("code", null, name), required && el("em", null, ` ${T.required}`));
  return el("label", { class: "field" }, label, input, el("small", null, rule.filter(Boolean).join(" · ")));
}

/**
 * @param {string} method
 * @param {string} url
 * @param {Operation} operation
 */
function curl(method, url, operation) {
  const quoted = url.replaceAll("%7B", "{").replaceAll("%7D", "}").replaceAll("'", "%27");
  const parts = ["curl", method === "GET" ? "" : `-X ${method}`, key() ? '-H "Authorization: Bearer $KEY"' : ""];
  if (operation.requestBody) parts.push("-d @body.json");
  return [...parts, `'${quoted}'`].filter(Boolean).join(" ");
}
