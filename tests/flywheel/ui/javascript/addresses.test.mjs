import assert from "node:assert/strict";
import { test } from "node:test";
import "./page.mjs";

const { hashTarget, pathNames } = await import("../../../../plugins/flywheel/ui/static/address.js");
const { airflowRoot, pageRoot } = await import("../../../../plugins/flywheel/ui/static/api.js");
const { dagPage, run, runPage, taskPage } = await import("../../../../plugins/flywheel/ui/static/links.js");
const { fileUrl, record, report } = await import("../../../../plugins/flywheel/ui/static/viewer.js");

test("a prefix before Airflow's pages is kept", () => {
  assert.equal(pageRoot, "/team/flywheel");
  assert.equal(airflowRoot, "/team");
});

test("names in Airflow's addresses are quoted", () => {
  assert.equal(dagPage("digits_score"), "/team/dags/digits_score");
  assert.equal(runPage("d", "manual__2013-02-01T00:00:00+00:00"), "/team/dags/d/runs/manual__2013-02-01T00%3A00%3A00%2B00%3A00");
  assert.equal(taskPage("d", "r", "train"), "/team/dags/d/runs/r/tasks/train");
});

test("the path of a view is taken apart and decoded", () => {
  assert.deepEqual(pathNames("/team/flywheel/"), [""]);
  assert.deepEqual(pathNames("/team/flywheel/cycles/digits"), ["cycles", "digits"]);
  assert.deepEqual(pathNames("/team/flywheel/dags/d/runs/a%3Ab/tasks/t"), ["dags", "d", "runs", "a:b", "tasks", "t"]);
});

test("a hash names a window, a version, an entry or a section", () => {
  assert.deepEqual(hashTarget("#window=2013-02-01_2013-03-01"), ["window", "2013-02-01_2013-03-01"]);
  assert.deepEqual(hashTarget("#version=1"), ["version", "1"]);
  assert.deepEqual(hashTarget("#entry=12"), ["entry", "12"]);
  assert.deepEqual(hashTarget("#drift"), ["drift", ""]);
  assert.deepEqual(hashTarget(""), []);
});

test("a record links to its run, and only if it has one", () => {
  const link = run({ dag_id: "d", run_id: "r" }, "2013-02-01 01:00");
  assert.equal(link.attributes.href, "/team/dags/d/runs/r");
  assert.equal(link.attributes["aria-label"], "2013-02-01 01:00, run r");
  assert.equal(run({}), null);
  assert.equal(run(null), null);
});

test("a report links to a file below its place, and only if it has one", () => {
  const link = report("digits", "evaluate/2013-01/k", "report.html", "Report", "report");
  assert.equal(link.attributes.href, fileUrl("digits", "evaluate/2013-01/k/report.html"));
  assert.equal(link.attributes.href, "/team/flywheel/cycles/digits/files/evaluate/2013-01/k/report.html");
  assert.equal(link.attributes["aria-label"], undefined);
  assert.equal(record("digits", "x.json", "Record", "the decision").attributes["aria-label"], "Record, the decision");
  assert.ok(!report("digits", null, "report.html", "Report", "report"));
  assert.equal(record("digits", null, "Record"), null);
});
