// Airflow's runs of a cycle, newest first; each unfolds to its steps.
import { airflow } from "./api.js";
import { h } from "./dom.js";
import { interval, moment, span, utcDate } from "./format.js";
import { dagPage, runPage, ui } from "./links.js";
import { badge } from "./parts.js";
import { STATES, steps } from "./steps.js";
import { cell, row, table } from "./table.js";

/** How many runs are read at first and added at a time, and the most that Airflow returns at once. */
const [RUNS, MAX_RUNS] = [20, 100];
const KINDS = { train: "training", score: "scoring", roll_back: "rollback" };
const HEADS = ["Run", "Interval", "State", "Started", "Took"];
/** The unfolded rows by run, kept so that they survive a redraw of the table. */
const unfolded = new Map();
let limit = RUNS;

/** Reads the newest runs of a cycle's DAGs. */
export const fetchRuns = (cycle) =>
  airflow("/dags/~/dagRuns/list", "POST", {
    dag_ids: Object.values(cycle.dags),
    page_limit: limit,
    page_offset: 0,
    order_by: "-run_after",
  });

/** Builds the table of runs. */
export function runs(cycle, page, refresh) {
  if (!page.dag_runs.length) return h("p", { class: "quiet" }, "No runs yet. Press Train to start the first.");
  const older = () => {
    limit = Math.min(MAX_RUNS, limit + RUNS);
    refresh();
  };
  const rest = page.total_entries - page.dag_runs.length;
  const isLive = page.dag_runs.some(({ state }) => state === "running" || state === "queued");
  const rows = page.dag_runs.flatMap((run) => lines(cycle, run));
  return h(
    "div",
    { "data-live": isLive },
    table("Runs", HEADS, rows),
    rest > 0 && limit < MAX_RUNS && h("button", { onclick: older, "data-key": "older" }, "Older runs"),
    rest > 0 && limit >= MAX_RUNS
      ? h(
          "p",
          {},
          `${rest} older runs are in Airflow: `,
          Object.values(cycle.dags).flatMap((dag) => [ui(`${dagPage(dag)}/runs`, dag), " "]),
        )
      : null,
    h("p", { class: "quiet" }, costNote(cycle)),
  );
}

const costNote = ({ costs: { note } }) =>
  `Costs are estimates: a job's duration times its instances' price in this installation's price list (${note.currency}, ${note.region}, ${note.as_of}), as if they ran on AWS. Reused steps cost nothing.`;

/** Describes what a run is about: its interval, or how that is chosen. */
export function runSubject(run) {
  const hasInterval = run.data_interval_start && run.run_type !== "manual";
  if (run.conf?.interval_start && !hasInterval) return `from ${run.conf.interval_start}`;
  if (run.run_type === "asset_triggered") return "as monitoring asked";
  return run.data_interval_start
    ? interval([run.data_interval_start, run.data_interval_end])
    : `newest on ${utcDate(run.run_after).slice(0, 10)}`;
}

function lines(cycle, run) {
  const id = run.dag_run_id;
  const kind = KINDS[Object.entries(cycle.dags).find(([, dag]) => dag === run.dag_id)[0]];
  const took = run.start_date
    ? (Date.parse(run.end_date ?? new Date().toISOString()) - Date.parse(run.start_date)) / 1000
    : null;
  const toggle = h("button", {
    class: "plain fold",
    "data-key": `steps-${run.dag_id}-${id}`,
    "aria-label": `Steps of ${kind} ${id}`,
    onclick: () => unfold(cycle, run, element, toggle),
  });
  const cells = [
    [
      toggle,
      ui(runPage(run.dag_id, id), kind, { "aria-label": `${kind}, run ${id}` }),
      h("div", { class: "quiet" }, run.run_type),
    ],
    cell(runSubject(run), { class: "date" }),
    badge(STATES[run.state] ?? "idle", run.state),
    cell(moment(run.start_date), { class: "date" }),
    span(took),
  ];
  const element = row(HEADS, cells, { "data-run": id, "data-state": run.state });
  return [element, ...detail(cycle, run, toggle)];
}

/** Returns the row below an unfolded run, updated if the run has changed. */
function detail(cycle, run, toggle) {
  const open = unfolded.get(`${run.dag_id} ${run.dag_run_id}`);
  fold(toggle, Boolean(open));
  if (!open) return [];
  if (open.state !== run.state || run.state === "running") fill(cycle, run, open);
  return [open.line];
}

function fold(toggle, isOpen) {
  toggle.setAttribute("aria-expanded", String(isOpen));
  toggle.textContent = isOpen ? "▾" : "▸";
}

function unfold(cycle, run, above, toggle) {
  const key = `${run.dag_id} ${run.dag_run_id}`;
  const open = unfolded.get(key);
  fold(toggle, !open);
  if (open) {
    open.line.remove();
    unfolded.delete(key);
    return;
  }
  const content = h("td", { role: "cell", colspan: HEADS.length }, h("p", { class: "quiet", role: "status" }, "Loading ..."));
  const opened = { line: h("tr", { role: "row", class: "detail" }, content), content };
  unfolded.set(key, opened);
  above.after(opened.line);
  fill(cycle, run, opened);
}

async function fill(cycle, run, open) {
  open.state = run.state;
  try {
    open.content.replaceChildren(await steps(cycle, run));
  } catch (error) {
    open.content.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message));
  }
}
