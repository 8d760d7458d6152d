// Airflow's runs of a cycle: what they took, step by step, what was reused, and what it would cost.
import { airflow } from "./api.js";
import { h } from "./dom.js";
import { interval, moment, share, span, utcDate } from "./format.js";
import { runPage, taskPage, ui } from "./links.js";
import { badge } from "./parts.js";
import { report } from "./viewer.js";

/** How many runs are asked for at a time. */
const RUNS = 20;
const STATES = {
  success: "good",
  failed: "bad",
  upstream_failed: "bad",
  running: "warn",
  queued: "warn",
  awaiting_input: "warn",
  deferred: "warn",
  skipped: "idle",
};
const KINDS = { train: "training", score: "scoring", roll_back: "rollback" };

/** The newest runs of all DAGs of a cycle. */
export const asked = (cycle, offset = 0) =>
  airflow("/dags/~/dagRuns/list", "POST", {
    dag_ids: Object.values(cycle.dags),
    page_limit: RUNS,
    page_offset: offset,
    order_by: "-run_after",
  });

/** Their table. */
export function runs(cycle, found) {
  if (!found.dag_runs.length) return h("p", { class: "quiet" }, "No runs yet.");
  const body = h(
    "tbody",
    {},
    found.dag_runs.flatMap((run) => line(cycle, run)),
  );
  const more = h(
    "button",
    { hidden: found.total_entries <= RUNS, onclick: () => older(cycle, body, more) },
    "Older runs",
  );
  const heads = ["", "Run", "Interval", "State", "Started", "Took"];
  return h(
    "div",
    {},
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Runs" },
      h(
        "table",
        { class: "runs" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            heads.map((head) => h("th", { scope: "col" }, head)),
          ),
        ),
        body,
      ),
    ),
    more,
    h("p", { class: "quiet" }, costNote(cycle)),
  );
}

async function older(cycle, body, button) {
  button.disabled = true;
  const known = body.querySelectorAll("tr[data-run]").length;
  const found = await asked(cycle, known);
  body.append(...found.dag_runs.flatMap((run) => line(cycle, run)));
  button.disabled = false;
  button.hidden = known + found.dag_runs.length >= found.total_entries;
}

const costNote = ({ costs: { note } }) =>
  `Costs are estimates: a job's seconds times the price of its instances in a table of this installation (${note.currency}, ${note.region}, ${note.as_of}), as if they ran on AWS. Reused steps cost nothing.`;

function about(run) {
  if (run.conf?.interval_start) return `from ${run.conf.interval_start}`;
  if (run.run_type === "asset_triggered") return "as monitoring asked";
  return run.data_interval_start
    ? interval([run.data_interval_start, run.data_interval_end])
    : `newest on ${utcDate(run.run_after).slice(0, 10)}`;
}

function line(cycle, run) {
  const kind = Object.entries(cycle.dags).find(([, dag]) => dag === run.dag_id)[0];
  const took = run.start_date
    ? (Date.parse(run.end_date ?? new Date().toISOString()) - Date.parse(run.start_date)) / 1000
    : null;
  const detail = h("tr", { hidden: true }, h("td", { colspan: 6 }));
  const toggle = h(
    "button",
    {
      class: "plain",
      "aria-expanded": "false",
      "aria-label": `Steps of ${run.dag_run_id}`,
      onclick: () => unfold(cycle, run, detail, toggle),
    },
    "▸",
  );
  const row = h(
    "tr",
    { "data-run": run.dag_run_id, "data-state": run.state },
    h("td", {}, toggle),
    h(
      "td",
      {},
      ui(runPage(run.dag_id, run.dag_run_id), `${KINDS[kind]}`),
      h("div", { class: "quiet" }, run.run_type),
    ),
    h("td", { class: "date" }, about(run)),
    h("td", {}, badge(STATES[run.state] ?? "idle", run.state)),
    h("td", { class: "date" }, moment(run.start_date)),
    h("td", {}, span(took)),
  );
  return [row, detail];
}

async function unfold(cycle, run, detail, toggle) {
  const opens = detail.hidden;
  detail.hidden = !opens;
  toggle.setAttribute("aria-expanded", String(opens));
  toggle.textContent = opens ? "▾" : "▸";
  if (!opens || detail.dataset.state === run.state) return;
  const place = detail.firstChild;
  place.replaceChildren(h("p", { class: "quiet", role: "status" }, "Loading ..."));
  try {
    place.replaceChildren(await steps(cycle, run));
    detail.dataset.state = run.state;
  } catch (error) {
    place.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message));
  }
}

/** The steps of a run, with what each took and would cost. */
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
  done.sort(
    (one, other) => Date.parse(one.task.start_date ?? "9999") - Date.parse(other.task.start_date ?? "9999"),
  );
  const told = done.map((each) => ({ ...each, cost: cost(cycle, each) }));
  const jobs = told.filter((each) => each.result?.job);
  const reused = jobs.filter((each) => each.result.reused).length;
  const total = told.reduce((sum, each) => sum + (each.cost ?? 0), 0);
  const heads = ["Step", "State", "Task took", "Job took", "Cost", "More"];
  return h(
    "div",
    {},
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((head) => h("th", { scope: "col" }, head)),
        ),
      ),
      h(
        "tbody",
        {},
        told.map((each) => step(cycle, run, each)),
      ),
    ),
    h(
      "p",
      {},
      jobs.length
        ? `${reused} of ${jobs.length} jobs reused (${share(reused / jobs.length)}); about $${total.toFixed(4)} for the others.`
        : "No job has ended yet.",
    ),
  );
}

/** What a job's instances would cost; null where there was no job, 0 where it was reused. */
function cost(cycle, { task, result }) {
  const step = cycle.costs.steps[task.task_id];
  if (!result?.job || step?.per_hour == null) return null;
  return result.reused ? 0 : (step.per_hour * result.seconds) / 3600;
}

function step(cycle, run, { task, result, cost: price }) {
  const place = result?.uri?.startsWith("s3://") ? result.uri.split("/").slice(4, 7) : [];
  const profile =
    place.length === 3 && ["fetch", "clean", "transform", "prepare", "collect"].includes(place[0]);
  const job = !result?.job ? "–" : result.reused ? "reused" : span(result.seconds);
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, ui(taskPage(run.dag_id, run.dag_run_id, task.task_id), task.task_id)),
    h("td", {}, badge(STATES[task.state] ?? "idle", task.state ?? "waiting")),
    h("td", {}, span(task.duration ?? undefined)),
    h("td", { title: result?.job ?? null }, job),
    h("td", {}, price === null ? "–" : `$${price.toFixed(4)}`),
    h(
      "td",
      {},
      profile
        ? report(cycle.name, place.join("/"), "profile.html", "profile", `profile of ${task.task_id}`)
        : "",
    ),
  );
}
