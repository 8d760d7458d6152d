// The steps of a run: their duration, reuse, cost and outputs.
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

const startTime = ({ task }) => Date.parse(task.start_date ?? "9999");

/** Reads the steps of a run and builds their table. */
export async function steps(cycle, run) {
  const path = `/dags/${encodeURIComponent(run.dag_id)}/dagRuns/${encodeURIComponent(run.dag_run_id)}/taskInstances`;
  const { task_instances: tasks } = await airflow(`${path}?limit=100`);
  const result = (task) =>
    airflow(`${path}/${task.task_id}/xcomEntries/return_value`).then(
      ({ value }) => (typeof value === "string" ? JSON.parse(value) : value),
      () => null,
    );
  const done = await Promise.all(
    tasks.map(async (task) => ({ task, result: task.state === "success" ? await result(task) : null })),
  );
  done.sort((a, b) => startTime(a) - startTime(b));
  const outputs = await pagesOf(cycle.name, done.map(({ result: output }) => output));
  const taken = done.map((step, index) => ({ ...step, ...outputs[index], cost: jobCost(cycle, step) }));
  return h(
    "div",
    {},
    table(`Steps of ${run.dag_run_id}`, HEADS, taken.map((step) => stepCells(cycle, run, step))),
    h("p", {}, summarizeJobs(taken)),
  );
}

/** Sums up the jobs of a run: how many were reused, what the others took and cost. */
export function summarizeJobs(all) {
  const jobs = all.filter(({ result }) => result?.job);
  if (!jobs.length) return "No job has ended yet.";
  const reused = jobs.filter(({ result }) => result.reused).length;
  const price = jobs.reduce((sum, { cost }) => sum + (cost ?? 0), 0);
  const seconds = jobs.reduce((sum, { result }) => sum + (result.reused ? 0 : (result.seconds ?? 0)), 0);
  return `${reused} of ${jobs.length} jobs reused (${share(reused / jobs.length)}); the others took ${span(seconds)}, about $${price.toFixed(4)}.`;
}

/** Returns the estimated cost of a step's job: null without a job or price, 0 if it was reused. */
export function jobCost(cycle, { task, result }) {
  const price = cycle.costs.steps[task.task_id]?.per_hour;
  if (!result?.job || typeof price !== "number") return null;
  return result.reused ? 0 : (price * result.seconds) / 3600;
}

function stepCells(cycle, run, { task, result, place, pages, cost: price }) {
  const page = (text, label) =>
    ui(taskPage(run.dag_id, run.dag_run_id, task.task_id), text, { "aria-label": label ?? null });
  const jobTime = result?.reused ? "reused" : span(result?.seconds);
  const instances = cycle.costs.steps[task.task_id];
  return [
    page(task.task_id),
    badge(STATES[task.state] ?? "idle", task.state ?? "waiting"),
    span(task.duration ?? undefined),
    result?.job ? jobTime : "–",
    price === null ? "–" : h("span", { title: `${instances.instance_count} × ${instances.instance_type}` }, `$${price.toFixed(4)}`),
    result?.job ? page(result.job, `${result.job}, log of the job`) : "–",
    pages.flatMap(([file, text]) => [
      report(cycle.name, place, file, text.toLowerCase(), `${text.toLowerCase()} of ${task.task_id}`),
      " ",
    ]),
  ];
}
