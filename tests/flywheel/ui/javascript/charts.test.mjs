import assert from "node:assert/strict";
import { test } from "node:test";
import "./page.mjs";

const { binNames, filledBins } = await import("../../../../plugins/flywheel/ui/static/distributions.js");
const { servedVersions } = await import("../../../../plugins/flywheel/ui/static/endpoint.js");
const { featuresByImportance } = await import("../../../../plugins/flywheel/ui/static/drift.js");
const { fitScale, scaleBounds } = await import("../../../../plugins/flywheel/ui/static/lines.js");
const { chartRows, markedPromotions } = await import("../../../../plugins/flywheel/ui/static/quality.js");
const { runSubject } = await import("../../../../plugins/flywheel/ui/static/runs.js");
const { jobCost, summarizeJobs } = await import("../../../../plugins/flywheel/ui/static/steps.js");
const { atLeast } = await import("../../../../plugins/flywheel/ui/static/traffic.js");
const { verdictReason } = await import("../../../../plugins/flywheel/ui/static/window.js");

test("bins are named by their values or edges", () => {
  assert.deepEqual(binNames({ kind: "text", values: ["AA", "UA"], baseline: [0.5, 0.4, 0.1] }), ["AA", "UA", "others"]);
  assert.deepEqual(binNames({ kind: "number", edges: [0, 1.5, 3], baseline: [0, 1, 1, 0] }), ["below 0", "0 to 1.5", "1.5 to 3", "above 3"]);
  assert.deepEqual(binNames({ kind: "number", edges: [0, 1], baseline: [0.9, 0.1] }), ["0 to 1", "bin 2"]);
});

test("a value with a bin of its own is named, and bins in which no side has values are not drawn", () => {
  const histogram = { kind: "number", edges: [0, 0, 1, 1], baseline: [0, 0.9, 0, 0.1, 0], current: [0, 0.4, 0, 0.5, 0.1] };
  assert.deepEqual(binNames(histogram), ["below 0", "0", "over 0 to 1", "1", "above 1"]);
  assert.deepEqual(filledBins(histogram), {
    names: ["below 0", "0", "1", "above 1"],
    baseline: [0, 0.9, 0.1, 0],
    current: [0, 0.4, 0.5, 0.1],
  });
});

test("features are ordered by their importance in the newest window that has them", () => {
  const windows = [
    { features: [{ name: "old", importance: 0.3 }, { name: "hour", importance: 0.9 }] },
    { features: [{ name: "hour", importance: 0.1 }, { name: "none" }] },
  ];
  assert.deepEqual(featuresByImportance(windows), ["old", "hour", "none"]);
});

const near = { values: [0.8, null, 0.9] };
const windows = [{ quality: { low: 0.78, high: 0.82 } }, {}, { quality: { low: 0.88, high: 0.95 } }];

test("a far line is left out of the scale only where it does not fit", () => {
  const far = { values: [0.1, 0.1, 0.1], isFar: true };
  const close = { values: [0.75, 0.75, 0.75], isFar: true };
  assert.deepEqual(fitScale([near, far], windows), { values: [0.78, 0.82, 0.88, 0.95, 0.8, 0.9], left: [far] });
  assert.deepEqual(fitScale([near, close], windows).left, []);
  assert.deepEqual(fitScale([far], []), { values: [0.1, 0.1, 0.1], left: [] });
});

test("the scale spans lines and intervals, with a margin", () => {
  const [low, high] = scaleBounds([near], windows);
  assert.ok(Math.abs(low - (0.78 - 0.17 * 0.05)) < 1e-12);
  assert.ok(Math.abs(high - (0.95 + 0.17 * 0.1)) < 1e-12);
  assert.deepEqual(scaleBounds([], []), [0, 1]);
  const [below, above] = scaleBounds([{ values: [0.5] }], []);
  assert.ok(below < 0.5 && above > 0.5);
});

test("windows are joined with the models of the replay by their start", () => {
  const watch = { windows: [{ window: ["2013-01", "2013-02"] }, { window: ["2013-02", "2013-03"] }] };
  const replay = { windows: [{ interval: ["2013-02", "2013-03"], models: { frozen: { value: 1 } } }] };
  assert.deepEqual(chartRows(watch, replay).map(({ models }) => models), [{}, { frozen: { value: 1 } }]);
  assert.deepEqual(chartRows(watch, null)[1].models, {});
});

test("a run's subject is its interval, or how that is chosen", () => {
  assert.equal(runSubject({ conf: { interval_start: "2013-01-01" } }), "from 2013-01-01");
  // such a run is refused: it has an interval, and the form cannot give it another
  const backfilled = { run_type: "backfill", data_interval_start: "2013-02-01T00:00:00Z", data_interval_end: "2013-03-01T00:00:00Z" };
  assert.equal(runSubject({ ...backfilled, conf: { interval_start: "2013-01-01" } }), "2013-02-01 – 2013-03-01");
  assert.equal(runSubject({ run_type: "asset_triggered" }), "as monitoring asked");
  assert.equal(runSubject({ data_interval_start: "2013-01-01T00:00:00Z", data_interval_end: "2013-02-01T00:00:00Z" }), "2013-01-01 – 2013-02-01");
  assert.equal(runSubject({ run_after: "2013-02-01T06:00:00Z" }), "newest on 2013-02-01");
});

const cycle = { costs: { steps: { train: { per_hour: 3.6 } } } };
const done = (name, result) => ({ task: { task_id: name }, result });

test("a job costs its seconds at its instances' price, and a reused one nothing", () => {
  assert.equal(jobCost(cycle, done("train", { job: "j", seconds: 100 })), 0.1);
  assert.equal(jobCost(cycle, done("train", { job: "j", seconds: 100, reused: true })), 0);
  assert.equal(jobCost(cycle, done("train", null)), null);
  assert.equal(jobCost(cycle, done("other", { job: "j", seconds: 100 })), null);
});

test("the jobs of a run are summed up", () => {
  const jobs = [
    { result: { job: "a", seconds: 75 }, cost: 0.1 },
    { result: { job: "b", seconds: 999, reused: true }, cost: 0 },
    { result: null, cost: null },
  ];
  assert.equal(summarizeJobs(jobs), "1 of 2 jobs reused (50 %); the others took 1 min 15 s, about $0.1000.");
  assert.equal(summarizeJobs([{ result: null }]), "No job has ended yet.");
});

test("a partial count is a lower bound", () => {
  assert.deepEqual([atLeast(1200, true), atLeast(1200, false), atLeast(null, false)], ["1,200", "at least 1,200", "–"]);
});

test("a verdict has its reason", () => {
  assert.equal(verdictReason({ held_back: "too few rows", why: "nothing" }), "too few rows");
  assert.equal(verdictReason({ why: "nothing" }), "nothing has moved");
  assert.equal(verdictReason({ why: "2 features drifted" }), "2 features drifted");
});

test("what the endpoint serves is told apart from the champion", () => {
  const same = servedVersions({ served: ["flights/2"] }, "flights/2");
  assert.deepEqual(same, { text: "flights/2", differs: false, note: "the champion" });
  const before = servedVersions({ served: ["flights/1"] }, "flights/2");
  assert.deepEqual(before, { text: "flights/1", differs: true, note: "the champion is flights/2" });
  const canary = servedVersions({ served: ["flights/1", "flights/2"] }, "flights/2");
  assert.deepEqual([canary.text, canary.differs], ["flights/1 and flights/2", true]);
  assert.equal(servedVersions({ served: [null] }, "flights/2").text, "a model of no version");
  assert.equal(servedVersions(null, "flights/2"), null);
  assert.equal(servedVersions({ served: ["flights/1"] }, null).note, "there is no champion");
});

test("a withdrawn promotion stays marked if a window was scored by it", () => {
  const promotions = [
    { version: "flights/1", is_withdrawn: false },
    { version: "flights/2", is_withdrawn: true },
    { version: "flights/3", is_withdrawn: true },
  ];
  const marked = markedPromotions(promotions, [{ champion: "flights/1" }, { champion: "flights/2" }]);
  assert.deepEqual(marked.map(({ version }) => version), ["flights/1", "flights/2"]);
});
