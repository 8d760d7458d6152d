import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, count, counted, exactly, interval, metric, moment, ms, share, span, timeOfDay, utcDate } from "../../../../plugins/flywheel/ui/static/format.js";

test("moments are in the user's zone, intervals in UTC", () => {
  assert.equal(process.env.TZ, "Asia/Tokyo");
  assert.equal(moment("2013-01-31T16:00:00Z"), "2013-02-01 01:00");
  assert.equal(timeOfDay("2013-01-31T16:00:00Z"), "01:00");
  assert.match(exactly("2013-01-31T16:00:05Z"), /^2013-02-01 01:00:05 /u);
  assert.equal(utcDate("2013-02-01T00:00:00+00:00"), "2013-02-01");
  assert.equal(utcDate("2013-02-01T06:30:00+00:00"), "2013-02-01 06:30");
  assert.equal(interval(["2013-02-01T00:00:00Z", "2013-03-01T00:00:00Z"]), "2013-02-01 – 2013-03-01");
});

test("missing values are a dash, and metrics say that they are undefined", () => {
  assert.deepEqual([moment, interval, share, count, ms, span].map((format) => format(null)), ["–", "–", "–", "–", "–", "–"]);
  assert.equal(exactly(null), "");
  assert.equal(metric(null), "undefined");
  assert.equal(span(Number.NaN), "–");
});

test("numbers have the digits that matter", () => {
  assert.equal(metric(0.87314), "0.8731");
  assert.deepEqual([0, 0.0523, 0.5, 0.995, 0.9987, 1].map(share), ["0.0 %", "5.2 %", "50 %", "100 %", "99.9 %", "100.0 %"]);
  assert.equal(count(1_234_567), "1,234,567");
  assert.deepEqual([0, 1, 2].map((value) => counted(value, "request")), ["0 requests", "1 request", "2 requests"]);
  assert.deepEqual([1.25, 9.94, 10, 812.4].map(ms), ["1.3 ms", "9.9 ms", "10 ms", "812 ms"]);
});

test("durations have at most two units", () => {
  const expected = { 0: "0.0 s", 8: "8.0 s", 59: "59 s", 60: "1 min", 75: "1 min 15 s", 3600: "1 h", 3660: "1 h 1 min", 86_400: "1 d", 273_600: "3 d 4 h" };
  for (const [seconds, text] of Object.entries(expected)) assert.equal(span(Number(seconds)), text);
});

test("ages are rough, in the past and in the future", (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: Date.parse("2013-02-01T12:00:00Z") });
  assert.equal(ago(null), "never");
  assert.equal(ago("2013-02-01T11:59:55Z"), "just now");
  assert.equal(ago("2013-02-01T11:54:30Z"), "5 min ago");
  assert.equal(ago("2013-01-29T08:00:00Z"), "3 d ago");
  assert.equal(ago("2013-02-01T15:10:00Z"), "in 3 h");
});
