// The steps of one run: what each took, what was reused, what it would cost, and where its outputs are looked at.
import { airflow } from "./api.js";
import { h } from "./dom.js";
import { share, span } from "./format.js";
import { taskPage, ui } from "./links.js";
import { badge } from "./parts.js";
import { table } from "./table.js";
import { pagesOf, report } from "./viewer.js";

export const STATES = {
  success: "good",
  failed: "bad",
  upstream_failed: "bad",
  running: "warn",
  queued: "warn",
  awaiting_input: "warn",
  deferred: "warn",
  skipped: "idle",
};
const HEADS = ["Step", "State", "Task took", "Job took", "Cost", "Job", "More"];

/** All steps of a run, with what each took and would cost. */
export async function steps(cycle, run) {
  const path = `/dags/${encodeURIComponent(run.dag_id)}/dagRuns/${encodeURIComponent(run.dag_run_id)}/taskInstances`;
  const { task_instances: tasks } = await airflow(`${path}?limit=100`);
  const result = (task) =>
    airflow(`${path}/${task.task_id}/xcomEntries/return_value`).then(
      (found) => (typeof found.value === "string" ? JSON.parse(found.value) : found.value),
      () => null,
    );
  const done = await Promise.all(
    tasks.map(async (task) => ({ task, result: task.state === "success" ? await result(task) : null })),
  );
  const start = ({ task }) => Date.parse(task.start_date ?? "9999");
  done.sort((one, other) => start(one) - start(other));
  const outputs = await pagesOf(cycle.name, done.map((each) => each.result));
  const told = done.map((each, index) => ({ ...each, ...outputs[index], cost: cost(cycle, each) }));
  return h(
    "div",
    {},
    table(`Steps of ${run.dag_run_id}`, HEADS, told.map((each) => step(cycle, run, each))),
    h("p", {}, total(told)),
  );
}

function total(told) {
  const jobs = told.filter((each) => each.result?.job);
  if (!jobs.length) return "No job has ended yet.";
  const reused = jobs.filter((each) => each.result.reused).length;
  const price = told.reduce((sum, each) => sum + (each.cost ?? 0), 0);
  const seconds = jobs.reduce((sum, each) => sum + (each.result.reused ? 0 : (each.result.seconds ?? 0)), 0);
  return `${reused} of ${jobs.length} jobs reused (${share(reused / jobs.length)}); the others took ${span(seconds)}, about $${price.toFixed(4)}.`;
}

/** What a job's instances would cost; null where there was no job, 0 where it was reused. */
function cost(cycle, { task, result }) {
  const step = cycle.costs.steps[task.task_id];
  if (!result?.job || step?.per_hour == null) return null;
  return result.reused ? 0 : (step.per_hour * result.seconds) / 3600;
}

function step(cycle, run, { task, result, place, pages, cost: price }) {
  const page = (text, label) =>
    ui(taskPage(run.dag_id, run.dag_run_id, task.task_id), text, { "aria-label": label ?? null });
  const job = !result?.job ? "–" : result.reused ? "reused" : span(result.seconds);
  const on = cycle.costs.steps[task.task_id];
  return [
    page(task.task_id),
    badge(STATES[task.state] ?? "idle", task.state ?? "waiting"),
    span(task.duration ?? undefined),
    job,
    price === null ? "–" : h("span", { title: `${on.instance_count} × ${on.instance_type}` }, `$${price.toFixed(4)}`),
    result?.job ? page(result.job, `${result.job}, log of the job`) : "–",
    pages.flatMap(([file, text]) => [
      report(cycle.name, place, file, text.toLowerCase(), `${text.toLowerCase()} of ${task.task_id}`),
      " ",
    ]),
  ];
}
