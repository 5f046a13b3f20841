// How fast lanes go.

import assert from "node:assert/strict";
import test from "node:test";

const { KEPT_S, Rates } = await import(`${process.env.PAGE}/parts/rates.js`);

/** @param {[number, number][]} seen moments and cursors of one lane */
function noted(seen) {
  const rates = new Rates();
  for (const [at, cursor] of seen) rates.note([{ name: "a", cursor }], at);
  return rates;
}

test("one poll, or none, is no rate", () => {
  assert.equal(noted([]).now("a"), null);
  assert.equal(noted([[0, 7]]).now("a"), null);
  assert.deepEqual(noted([[0, 7]]).bars("a", 3), [0, 0, 0]);
});

test("the rate is that of the last ten seconds", () => {
  const seen = Array.from({ length: 31 }, (_, index) => [index * 2, index < 20 ? 0 : (index - 20) * 100]);
  assert.equal(noted(seen).now("a"), 50);
});

test("a seek back is no rate", () => {
  const rates = noted([
    [0, 1000],
    [2, 0],
  ]);
  assert.equal(rates.now("a"), 0);
  assert.deepEqual(rates.bars("a", 2), [0, 0]);
});

test("bars are equal parts of five minutes, newest last, and hold every event", () => {
  const seen = Array.from({ length: 151 }, (_, index) => [index * 2, index * 20]);
  const bars = noted(seen).bars("a", 30);
  assert.equal(bars.length, 30);
  assert.equal(Math.round((bars.reduce((sum, one) => sum + one, 0) * KEPT_S) / 30), 3000);
  assert.deepEqual(noted([...seen, [302, 3000 + 400]]).bars("a", 2).map(Math.round), [10, 13]);
});

test("what is older than five minutes is forgotten, and so is the same moment twice", () => {
  const rates = noted([
    [0, 0],
    [1, 1000],
    [400, 1000],
    [400, 9000],
    [402, 1002],
  ]);
  assert.equal(rates.now("a"), 1);
  assert.equal(rates.bars("a", 1)[0] * KEPT_S, 2);
});
