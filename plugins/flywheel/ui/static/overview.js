// The overview: a card for each cycle with its champion, quality, drift and endpoint.
import { airflow, flywheel, pageRoot, settle } from "./api.js";
import { h } from "./dom.js";
import { servedText } from "./endpoint.js";
import { counted, interval, metric, moment, ms, utcDate } from "./format.js";
import { dagPage, run, taskPage, ui } from "./links.js";
import { badge, fresh, pair, part, since, troubles } from "./parts.js";
import { report } from "./viewer.js";
import { openWindow, verdictBadge, verdictReason } from "./window.js";

/** Returns the view's sections by name, as data and renderer: a section is redrawn when its data changes. */
export async function overview(again) {
  const answers = await settle({
    cards: flywheel("/cycles"),
    dags: airflow("/dags?tags=flywheel&limit=100"),
    open: airflow("/dags/~/dagRuns/~/hitlDetails?response_received=false&limit=50"),
  });
  if (answers.cards.error) throw answers.cards.error;
  const { cycles, hidden, broken } = answers.cards.value;
  const failures = [answers.dags, answers.open].map(({ error }) => ({ error: error && `Airflow: ${error.message}` }));
  const parts = [...cycles.flatMap((cycle) => Object.values(cycle.parts)), ...failures];
  const dags = Object.fromEntries((answers.dags.value?.dags ?? []).map((dag) => [dag.dag_id, dag]));
  const open = answers.open.value?.hitl_details ?? [];
  const next = Object.values(dags).map((dag) => [dag.dag_id, dag.next_dagrun_run_after, dag.is_paused]);
  return {
    head: [
      [],
      () =>
        h(
          "header",
          { class: "top" },
          h("h1", {}, "Flywheel"),
          h("p", { class: "quiet" }, "Each cycle trains, serves and monitors one model."),
        ),
    ],
    fresh: [Math.random(), () => fresh(parts, again)],
    trouble: [parts.map(({ error }) => error), () => troubles(parts)],
    cards: [
      [cycles, open, next, broken],
      () =>
        cycles.length || broken.length
          ? h("div", { class: "cards" }, cycles.map((cycle) => card(cycle, dags, open)), broken.map(brokenCard))
          : h("p", { class: "empty" }, none(hidden)),
    ],
  };
}

const none = (hidden) =>
  hidden
    ? "There are cycles, but you may not see their DAGs. Ask whoever manages Airflow's users."
    : "There is no cycle yet: add one below include/cycles.";

const cyclePage = (cycle, place = "") => `${pageRoot}/cycles/${cycle.name}${place}`;

function card(cycle, dags, open) {
  const { ledger, watch, endpoint } = cycle.parts;
  const pending = open.filter(({ task_instance: task }) => Object.values(cycle.dags).includes(task.dag_id));
  return h(
    "article",
    { class: "card", "aria-labelledby": `card-${cycle.name}`, "data-cycle": cycle.name },
    h("h2", { id: `card-${cycle.name}` }, h("a", { href: cyclePage(cycle) }, cycle.name)),
    h("p", { class: "quiet" }, cycle.description),
    pending.map((detail) => approval(cycle, detail)),
    part(ledger, (value) => championFacts(cycle, value)),
    part(watch, (value) => monitoringFacts(cycle, value, ledger.value?.champion)),
    part(endpoint, (value) => endpointFacts(cycle, value, ledger.value?.champion), "No endpoint yet: the first promoted version brings it."),
    h("dl", {}, pair("Next runs", nextRuns(cycle, dags)), lastDecision(ledger.value, watch.value)),
  );
}

/** Builds the card of a cycle whose description cannot be worked with. */
const brokenCard = (name) =>
  h(
    "article",
    { class: "card", "aria-labelledby": `card-${name}`, "data-cycle": name },
    h("h2", { id: `card-${name}` }, name),
    h("p", {}, badge("bad", "broken"), " Its description cannot be worked with, so that it has no DAGs."),
    h("p", { class: "quiet" }, "Airflow's import error of dags/broken_cycles.py says what is wrong, and what to write instead."),
  );

function championFacts(cycle, { champion: entry, entries }) {
  if (!entry)
    return h(
      "p",
      { class: "quiet" },
      entries
        ? "Nothing is in production: no version was promoted, or all were withdrawn."
        : "No model has been trained yet. Open the cycle and press Train.",
    );
  const { evaluation, verdict, version, by } = entry;
  const measured = verdict?.challenger;
  const own =
    measured && `${verdict.metric} ${metric(measured.value)} (${metric(measured.low)} – ${metric(measured.high)})`;
  const modelCard = report(cycle.name, evaluation, "model_card.html", version, `model card of ${version}`);
  return h(
    "dl",
    {},
    pair("Champion", h("strong", { class: "champion" }, modelCard ?? version ?? "–")),
    pair("Trained on data to", run(by, `${utcDate(entry.data_end)} UTC`)),
    entry.returned
      ? pair("Champion again", run(entry.returned.by, moment(entry.returned.at)), ` after ${entry.returned.replaces}`)
      : pair("Promoted", run(by, moment(entry.at)), " (", since(entry.at), ")"),
    pair(
      "Its own evaluation",
      own ? (report(cycle.name, evaluation, "report.html", own, `evaluation of ${version}`) ?? own) : "–",
    ),
  );
}

function monitoringFacts(cycle, { window, decision }, champion) {
  if (!window) return h("p", { class: "quiet" }, "No window has been monitored yet: the first comes after the first promotion.");
  const opens = (text) => h("button", { class: "link", onclick: () => openWindow(cycle.name, window) }, text);
  return h(
    "dl",
    {},
    pair("Newest window", opens(interval(window.window)), " ", run(window.by, "run")),
    pair("Quality there", quality(cycle, window), ` of ${window.champion ?? "the model"}`),
    pair("Drift", verdictBadge(window), " ", h("a", { href: cyclePage(cycle, "#drift") }, verdictReason(window))),
    decision?.due ? pair("Retraining", retraining(window, champion), " ", run(decision.by, "run")) : null,
  );
}

/** Shows whether a due retraining is still open, or a promotion since then has answered it. */
function retraining(window, champion) {
  const isNew =
    champion &&
    champion.version !== window.champion &&
    Date.parse(champion.data_end) > Date.parse(window.data_end);
  return isNew ? badge("idle", `was due; ${champion.version} has been promoted since`) : badge("warn", "due");
}

/** Shows the quality in a window, as a link to the window's report. */
function quality(cycle, window) {
  const { quality: measured, estimate } = window;
  const reported = (text) =>
    report(cycle.name, window.report, "report.html", text, `report of ${interval(window.window)}`) ?? text;
  if (measured) {
    const trend = measured.is_worse ? badge("bad", "worse than before") : badge("good", "as before");
    return [reported(`${measured.metric} ${metric(measured.value)} (${metric(measured.low)} – ${metric(measured.high)})`), " ", trend];
  }
  return estimate
    ? [reported(`${estimate.metric} ${metric(estimate.value)}`), " ", badge("idle", "estimate: no labels yet")]
    : "unknown: no labels yet";
}

function endpointFacts(cycle, endpoint, champion) {
  const sum = (name) => endpoint.variants.reduce((total, variant) => total + variant[name], 0);
  const worst = (name) => Math.max(...endpoint.variants.map((variant) => variant[name] ?? -1));
  const state =
    endpoint.status === "InService"
      ? badge("good", "in service")
      : badge(endpoint.status === "Failed" ? "bad" : "warn", endpoint.status);
  const errors = sum("errors_5xx") + sum("errors_4xx");
  const requests = sum("invocations");
  const traffic = requests
    ? `${counted(requests, "request")} (${sum("requests_per_s").toFixed(2)} / s), p50 ${ms(worst("p50_ms"))}, p99 ${ms(worst("p99_ms"))}, ${counted(errors, "error")}`
    : "no requests";
  return h(
    "dl",
    {},
    pair("Endpoint", state),
    pair("Serves", servedText(endpoint, champion?.version, cyclePage(cycle, "#endpoint"))),
    pair("In the last hour", h("a", { href: cyclePage(cycle, "#endpoint") }, traffic), errors ? [" ", badge("bad", "errors")] : ""),
  );
}

function nextRuns(cycle, dags) {
  const nextRun = ([kind, text]) => {
    const dag = dags[cycle.dags[kind]];
    if (!dag) return h("div", {}, `${text}: unknown, Airflow did not return the DAG`);
    const next = dag.next_dagrun_run_after ? moment(dag.next_dagrun_run_after) : "none, the schedule is over";
    return h("div", {}, ui(dagPage(dag.dag_id), text), " ", dag.is_paused ? badge("idle", "paused") : next);
  };
  return [
    ["train", "training"],
    ["score", "scoring"],
  ].map(nextRun);
}

function lastDecision(ledger, watch) {
  const newest = [ledger?.last, watch?.decision]
    .filter(Boolean)
    .toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at))[0];
  return newest
    ? pair("Last decision", newest.says, " ", run(newest.by, "run"), " ", h("span", { class: "quiet" }, since(newest.at)))
    : null;
}

function approval(cycle, detail) {
  const { dag_id: dag, dag_run_id: id, task_id: task } = detail.task_instance;
  return h(
    "p",
    { class: "waiting" },
    badge("warn", "waits for approval"),
    ` ${detail.subject} `,
    h("a", { href: cyclePage(cycle, "#open") }, "Answer"),
    " ",
    ui(taskPage(dag, id, task), "task", { "aria-label": `task ${task} of run ${id}` }),
  );
}
