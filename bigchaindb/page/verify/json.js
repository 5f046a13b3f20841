/**
 * JSON as it stands: numbers keep their digits, and no key comes twice.
 *
 * @typedef {null | boolean | string | Digits | Json[] | Map<string, any>} Json
 */

/** What is refused, with the reason. Everything else that is thrown is a defect. */
export class Refusal extends Error {}

/** A number, as it was written. */
export class Digits {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.isWhole = /^-?\d+$/.test(text);
  }

  toString() {
    return this.text;
  }

  toJSON() {
    return Number(this.text);
  }
}

/** Brackets open at once in a document of the ledger, and in all of it that stands around one. */
const DEPTH_MAX = 256;
const PARSED_DEPTH_MAX = 512;
const DATA_DEPTH_MAX = 128;
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has none of these in a string
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const WORD = /true|false|null/y;
const WORDS = { true: true, false: false, null: null };
const LONE = /[\ud800-\udfff]/u;

/**
 * Return the value of a text.
 *
 * @param {string} text
 * @returns {Json}
 */
export function parse(text) {
  let at = 0;
  let depth = 0;

  /** @param {string} what */
  const refuse = (what) => {
    throw new Refusal(`JSON is malformed: ${what} (character ${at})`);
  };
  /** @param {RegExp} pattern @returns {string | undefined} */
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  /** @param {string} mark */
  const has = (mark) => {
    take(SPACE);
    if (text[at] !== mark) return false;
    at += 1;
    return true;
  };
  /** @returns {string} */
  const string = () => {
    const found = take(STRING);
    if (found === undefined) return refuse("not a string");
    const value = found.includes("\\") ? JSON.parse(found) : found.slice(1, -1);
    return LONE.test(value) ? refuse("half of a surrogate pair") : value;
  };
  /** @param {string} end @param {() => void} member */
  const members = (end, member) => {
    at += 1;
    depth += 1;
    if (depth > PARSED_DEPTH_MAX) refuse(`nested deeper than ${PARSED_DEPTH_MAX} brackets`);
    if (!has(end)) {
      do member();
      while (has(","));
      if (!has(end)) refuse(`"," or "${end}" is missing`);
    }
    depth -= 1;
  };
  /** @returns {Json} */
  const value = () => {
    take(SPACE);
    if (text[at] === '"') return string();
    if (text[at] === "{") {
      /** @type {Map<string, Json>} */
      const map = new Map();
      members("}", () => {
        take(SPACE);
        const key = string();
        if (map.has(key)) refuse(`${JSON.stringify(key.slice(0, 40))} stands twice in an object`);
        if (!has(":")) refuse('":" is missing');
        map.set(key, value());
      });
      return map;
    }
    if (text[at] === "[") {
      /** @type {Json[]} */
      const list = [];
      members("]", () => list.push(value()));
      return list;
    }
    const word = /** @type {keyof typeof WORDS | undefined} */ (take(WORD));
    return word ? WORDS[word] : new Digits(take(NUMBER) ?? refuse("no value"));
  };

  const whole = value();
  take(SPACE);
  return at < text.length ? refuse("trailing characters") : whole;
}

/**
 * Refuse what no document of the ledger is: another value than an object, or one that is nested too deep.
 *
 * @param {Json} value
 * @returns {Map<string, Json>}
 */
export function checkedDocument(value) {
  if (!(value instanceof Map)) throw new Refusal("not of type 'object'");
  if (isDeeper(value, DEPTH_MAX)) throw new Refusal(`nested deeper than ${DEPTH_MAX} brackets`);
  for (const name of ["asset", "metadata"]) {
    if (isDeeper(value.get(name) ?? null, DATA_DEPTH_MAX)) {
      throw new Refusal(`${name}: nested deeper than ${DATA_DEPTH_MAX} brackets`);
    }
  }
  return value;
}

/** @param {Json} value @param {number} max @returns {boolean} */
function isDeeper(value, max) {
  const inner = value instanceof Map ? [...value.values()] : Array.isArray(value) ? value : null;
  return inner !== null && (max === 0 || inner.some((one) => isDeeper(one, max - 1)));
}
