// Requests to the node, with the key that this tab was given. Errors are values: nothing here throws.

import { texts } from "./texts.js";
import { Refusal } from "./verify/json.js";

/** @typedef {{ status: number, message: string, retryAfter: number | null }} Problem status 0: no answer came */
/**
 * @template T
 * @typedef {{ value: T, problem: null } | { value: null, problem: Problem }} Answer
 */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Query */

const KEY = "bigchaindb.key";
const PREFIX = "api/v1/";
const ANSWER_S = 20;

/** @returns {string | null} */
export function key() {
  return sessionStorage.getItem(KEY);
}

/** @param {string | null} text */
export function keep(text) {
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

/**
 * Return an address below `/api/v1/`, relative to the page, so that a proxy may put both below any path.
 * @param {string} path
 * @param {Query} [query]
 */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `${PREFIX}${path}${search && "?"}${search}`;
}

/**
 * @template [T=any]
 * @param {string} path
 * @param {Query} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer<T>>}
 */
export function get(path, query, signal) {
  return exchange("GET", address(path, query), undefined, signal, json);
}

/**
 * @template [T=any]
 * @param {"POST" | "PUT" | "DELETE"} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer<T>>}
 */
export function send(method, path, body, signal) {
  return exchange(method, address(path), body, signal, json);
}

/** The document of the node itself: `public_key`, `version`. */
export function root() {
  return exchange("GET", "./", undefined, undefined, json);
}

/**
 * Read an answer as it is: reading its numbers and writing them again may change the digits that were hashed.
 * @param {string} path
 * @param {Query} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer<Uint8Array<ArrayBuffer>>>}
 */
export function getBytes(path, query, signal) {
  return exchange("GET", address(path, query), undefined, signal, bytesOf);
}

/**
 * Read an answer by its bytes.
 * @template T
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {(bytes: Uint8Array<ArrayBuffer>) => T} read what it refuses is a problem, as an answer that is no JSON
 * @returns {Promise<Answer<T>>}
 */
export function getRead(path, signal, read) {
  return exchange("GET", address(path), undefined, signal, async (response) => read(await bytesOf(response)));
}

/** @param {Response} response */
const bytesOf = async (response) => new Uint8Array(await response.arrayBuffer());

/** @param {Response} response */
async function json(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/**
 * @template T
 * @param {string} method
 * @param {string} url
 * @param {unknown} body
 * @param {AbortSignal | undefined} signal
 * @param {(response: Response) => Promise<T>} read
 * @returns {Promise<Answer<T>>}
 */
async function exchange(method, url, body, signal, read) {
  const patience = AbortSignal.timeout(ANSWER_S * 1000);
  try {
    const response = await ask(method, url, body, signal ? AbortSignal.any([signal, patience]) : patience);
    if (!response.ok) return { value: null, problem: problemOf(response, await response.text()) };
    return { value: await read(response), problem: null };
  } catch (error) {
    return { value: null, problem: failure(error) };
  }
}

/**
 * Send a request with the key of this tab.
 * @param {string} method
 * @param {string} url
 * @param {unknown} body
 * @param {AbortSignal} signal
 * @param {string} [accept]
 */
export function ask(method, url, body, signal, accept = "application/json") {
  /** @type {Record<string, string>} */
  const headers = { Accept: accept };
  const text = key();
  if (text) headers.Authorization = `Bearer ${text}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const content = body === undefined ? undefined : JSON.stringify(body);
  return fetch(url, { method, headers, body: content, signal, credentials: "omit", cache: "no-store" });
}

/**
 * Return what is wrong, in the node's own words.
 * @param {Response} response
 * @param {string} text
 * @returns {Problem}
 */
export function problemOf(response, text) {
  const after = response.headers.get("Retry-After");
  return {
    status: response.status,
    message: messageOf(text) || response.statusText,
    retryAfter: Number(after) || null,
  };
}

/**
 * @param {unknown} error
 * @returns {Problem}
 */
export function failure(error) {
  const unread = error instanceof SyntaxError ? texts.problem.unreadable : texts.problem.silent;
  return { status: 0, message: error instanceof Refusal ? error.message : unread, retryAfter: null };
}

/** @param {string} text */
function messageOf(text) {
  try {
    const { message } = JSON.parse(text);
    if (message === null || typeof message !== "object") return message === undefined ? "" : String(message);
    const rules = Object.entries(message).map(([name, rule]) => `${name}: ${rule}`);
    return rules.join("; ");
  } catch {
    return text.slice(0, 200);
  }
}
