import assert from "node:assert/strict";
import { test } from "node:test";

const { revealed } = await import(process.env.PAGE + "/dom.js");

test("characters that cannot be seen are shown by their numbers", () => {
  assert.equal(revealed("abc\u202egpj.exe"), "abcU+202Egpj.exe");
  assert.equal(revealed("\u200b\u2066\u0007\u2028\ufeff\u00ad"), "U+200BU+2066U+0007U+2028U+FEFFU+00AD");
  assert.equal(revealed("\u{e0041}"), "U+E0041");
});

test("all other characters stay", () => {
  for (const text of ["line\n\tbreak", "héllo wörld", "日本語", "עברית", "😀", "</script>"]) assert.equal(revealed(text), text);
});
