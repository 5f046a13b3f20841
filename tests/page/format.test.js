import assert from "node:assert/strict";
import { test } from "node:test";

const { byteCount, bytes, counted, label, number, position, rate, seconds, short, span, utc } = await import(process.env.PAGE + "/format.js");

test("every digit of an amount is kept", () => {
  assert.equal(number("9000000000000000000000001"), "9,000,000,000,000,000,000,000,001");
  assert.equal(number(1234), "1,234");
  assert.equal(number("-1234"), "-1,234");
  assert.equal(number(999), "999");
  assert.equal(number("no number"), "no number");
});

test("a rate has a digit behind the point while it is small", () => {
  assert.deepEqual([0, 0.04, 9.96, 412.4].map(rate), ["0", "0.0", "10.0", "412"]);
});

test("a size has one unit", () => {
  const shown = [0, 1, 1023, 1024, 10_240, 5 * 1024 ** 2, 212 * 1024 ** 3, 2 ** 70].map(bytes);
  assert.deepEqual(shown, ["0 bytes", "1 bytes", "1,023 bytes", "1.0 KiB", "10 KiB", "5.0 MiB", "212 GiB", "1,048,576 PiB"]);
});

test("a span of time has one unit", () => {
  assert.deepEqual([-1, 0, 59.9, 60, 3600, 86_400 * 1200].map(span), ["0 s", "0 s", "59 s", "1 min", "1 h", "1,200 d"]);
});

test("a moment is UTC, and what is none is shown as it is", () => {
  assert.equal(utc(1_700_000_000), "2023-11-14 22:13:20 UTC");
  assert.equal(utc(1e20), "100000000000000000000");
  assert.equal(seconds("1700000000"), 1_700_000_000);
  assert.equal(seconds("2023-11-14T22:13:20Z"), 1_700_000_000);
  assert.equal(seconds(1.5), 1.5);
});

test("an id is shortened in the middle, a short one is whole", () => {
  assert.equal(short("0123456789abcdef"), "012345…cdef");
  assert.equal(short("0123456789ab"), "0123456789ab");
});

test("a position is the first part of a sequence", () => {
  assert.equal(position({ sequence: "00000000000000000042:0000000003" }), 42);
});

test("a noun follows its number", () => {
  assert.deepEqual([counted(1, "block"), counted(0, "block"), counted(1204, "block")], ["1 block", "0 blocks", "1,204 blocks"]);
});

test("an asset is called by its name, else by the first text in its data, else by the beginning of it", () => {
  assert.equal(label({ serial: "a-1", name: "bicycle" }), "bicycle");
  assert.equal(label({ name: 5, title: "painting" }), "painting");
  assert.equal(label({ made: "2026-01-31", bicycle: { serial: 1, frame: ["steel"] } }), "steel");
  assert.equal(label({ serial: 1, made: "2026-01-31" }), '{"serial":1,"made":"2026-01-31"}');
  assert.deepEqual([null, undefined, {}, "word", "2026", 5].map(label), ["", "", "", "word", "2026", "5"]);
  assert.equal(label("x".repeat(100)).length, 61);
});

test("a text is measured in the bytes that it has where it is stored", () => {
  assert.deepEqual(["", "abc", "é", "\u{1f6b2}"].map(byteCount), [0, 3, 2, 4]);
});
