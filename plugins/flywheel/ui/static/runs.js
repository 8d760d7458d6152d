// Airflow's runs of a cycle, the newest first; each unfolds to its steps.
import { airflow } from "./api.js";
import { h } from "./dom.js";
import { interval, moment, span, utcDate } from "./format.js";
import { dagPage, runPage, ui } from "./links.js";
import { badge } from "./parts.js";
import { STATES, steps } from "./steps.js";
import { cell, row, table } from "./table.js";

/** How many runs are asked for at first, how many more each time, and the most that Airflow tells at once. */
const [RUNS, MOST] = [20, 100];
const KINDS = { train: "training", score: "scoring", roll_back: "rollback" };
const HEADS = ["Run", "Interval", "State", "Started", "Took"];
/** The unfolded lines by their run: kept, so that they stay when the table is drawn anew. */
const unfolded = new Map();
let limit = RUNS;

/** The newest runs of all DAGs of a cycle. */
export const asked = (cycle) =>
  airflow("/dags/~/dagRuns/list", "POST", {
    dag_ids: Object.values(cycle.dags),
    page_limit: limit,
    page_offset: 0,
    order_by: "-run_after",
  });

/** Their table. */
export function runs(cycle, found, again) {
  if (!found.dag_runs.length) return h("p", { class: "quiet" }, "No runs yet. Press Train to start the first.");
  const older = () => {
    limit = Math.min(MOST, limit + RUNS);
    again();
  };
  const rest = found.total_entries - found.dag_runs.length;
  const isLive = found.dag_runs.some(({ state }) => state === "running" || state === "queued");
  const all = found.dag_runs.flatMap((run) => lines(cycle, run));
  return h(
    "div",
    { "data-live": isLive },
    table("Runs", HEADS, all),
    rest > 0 && limit < MOST && h("button", { onclick: older, "data-key": "older" }, "Older runs"),
    rest > 0 && limit >= MOST
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
  `Costs are estimates: a job's seconds times the price of its instances in a table of this installation (${note.currency}, ${note.region}, ${note.as_of}), as if they ran on AWS. Reused steps cost nothing.`;

function about(run) {
  if (run.conf?.interval_start) return `from ${run.conf.interval_start}`;
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
    onclick: () => unfold(cycle, run, made, toggle),
  });
  const cells = [
    [
      toggle,
      ui(runPage(run.dag_id, id), kind, { "aria-label": `${kind}, run ${id}` }),
      h("div", { class: "quiet" }, run.run_type),
    ],
    cell(about(run), { class: "date" }),
    badge(STATES[run.state] ?? "idle", run.state),
    cell(moment(run.start_date), { class: "date" }),
    span(took),
  ];
  const made = row(HEADS, cells, { "data-run": id, "data-state": run.state });
  return [made, ...detail(cycle, run, toggle)];
}

/** The line below an unfolded run, with what is new of it. */
function detail(cycle, run, toggle) {
  const known = unfolded.get(`${run.dag_id} ${run.dag_run_id}`);
  fold(toggle, Boolean(known));
  if (!known) return [];
  if (known.state !== run.state || run.state === "running") fill(cycle, run, known);
  return [known.line];
}

function fold(toggle, isOpen) {
  toggle.setAttribute("aria-expanded", String(isOpen));
  toggle.textContent = isOpen ? "▾" : "▸";
}

function unfold(cycle, run, above, toggle) {
  const key = `${run.dag_id} ${run.dag_run_id}`;
  const known = unfolded.get(key);
  fold(toggle, !known);
  if (known) {
    known.line.remove();
    unfolded.delete(key);
    return;
  }
  const place = h("td", { role: "cell", colspan: HEADS.length }, h("p", { class: "quiet", role: "status" }, "Loading ..."));
  const made = { line: h("tr", { role: "row", class: "detail" }, place), place };
  unfolded.set(key, made);
  above.after(made.line);
  fill(cycle, run, made);
}

async function fill(cycle, run, known) {
  known.state = run.state;
  try {
    known.place.replaceChildren(await steps(cycle, run));
  } catch (error) {
    known.place.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message));
  }
}
