// A card for each cycle: what is in production, how good it is, whether it drifts, how it is served.
import { airflow, each, flywheel, pageRoot } from "./api.js";
import { h } from "./dom.js";
import { counted, interval, metric, moment, ms, utcDate } from "./format.js";
import { dagPage, run, taskPage, ui } from "./links.js";
import { badge, fresh, pair, part, since, troubles } from "./parts.js";
import { report } from "./viewer.js";
import { openWindow, told, verdict } from "./window.js";

/** All cards, as sections by name: each is only drawn anew where its data has changed. */
export async function overview(again) {
  const asked = await each({
    cards: flywheel("/cycles"),
    dags: airflow("/dags?tags=flywheel&limit=100"),
    open: airflow("/dags/~/dagRuns/~/hitlDetails?response_received=false&limit=50"),
  });
  if (asked.cards.error) throw asked.cards.error;
  const { cycles, hidden } = asked.cards.value;
  const airflows = [asked.dags, asked.open].map(({ error }) => ({ error: error && `Airflow: ${error.message}` }));
  const parts = [...cycles.flatMap((cycle) => Object.values(cycle.parts)), ...airflows];
  const dags = Object.fromEntries((asked.dags.value?.dags ?? []).map((dag) => [dag.dag_id, dag]));
  const open = asked.open.value?.hitl_details ?? [];
  const next = Object.values(dags).map((dag) => [dag.dag_id, dag.next_dagrun_run_after, dag.is_paused]);
  return {
    head: [
      [],
      () =>
        h(
          "header",
          { class: "top" },
          h("h1", {}, "Flywheel"),
          h("p", { class: "quiet" }, "Each cycle trains, serves and watches one model."),
        ),
    ],
    fresh: [Math.random(), () => fresh(parts, again)],
    trouble: [parts.map(({ error }) => error), () => troubles(parts)],
    cards: [
      [cycles, open, next],
      () =>
        cycles.length
          ? h("div", { class: "cards" }, cycles.map((cycle) => card(cycle, dags, open)))
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
  const mine = open.filter((each) => Object.values(cycle.dags).includes(each.task_instance.dag_id));
  return h(
    "article",
    { class: "card", "aria-labelledby": `card-${cycle.name}`, "data-cycle": cycle.name },
    h("h2", { id: `card-${cycle.name}` }, h("a", { href: cyclePage(cycle) }, cycle.name)),
    h("p", { class: "quiet" }, cycle.description),
    mine.map((each) => approval(cycle, each)),
    part(ledger, (value) => champion(cycle, value)),
    part(watch, (value) => watched(cycle, value, ledger.value?.champion)),
    part(endpoint, (value) => served(cycle, value), "No endpoint yet: the first promoted version brings it."),
    h("dl", {}, pair("Next runs", nextRuns(cycle, dags)), last(ledger.value, watch.value)),
  );
}

function champion(cycle, { champion: entry, entries }) {
  if (!entry)
    return h(
      "p",
      { class: "quiet" },
      entries
        ? "Nothing is in production: no version was promoted, or all were taken back."
        : "No model was trained yet. Open the cycle and press Train.",
    );
  const { evaluation, verdict, version, by } = entry;
  const said = verdict?.challenger;
  const own = said && `${verdict.metric} ${metric(said.value)} (${metric(said.low)} – ${metric(said.high)})`;
  const card = report(cycle.name, evaluation, "model_card.html", version, `model card of ${version}`);
  return h(
    "dl",
    {},
    pair("Champion", h("strong", { class: "champion" }, card ?? version ?? "–")),
    pair("Trained on data to", run(by, `${utcDate(entry.data_end)} UTC`)),
    pair("Promoted", run(by, moment(entry.at)), " (", since(entry.at), ")"),
    pair(
      "Its own evaluation",
      own ? (report(cycle.name, evaluation, "report.html", own, `evaluation of ${version}`) ?? own) : "–",
    ),
  );
}

function watched(cycle, { window, decision }, champion) {
  if (!window) return h("p", { class: "quiet" }, "No window was watched yet: the first comes after the first promotion.");
  const opens = (text) => h("button", { class: "link", onclick: () => openWindow(cycle.name, window) }, text);
  return h(
    "dl",
    {},
    pair("Newest window", opens(interval(window.window)), " ", run(window.by, "run")),
    pair("Quality there", quality(cycle, window)),
    pair("Drift", verdict(window), " ", h("a", { href: cyclePage(cycle, "#drift") }, told(window))),
    decision?.due ? pair("Retraining", retraining(window, champion), " ", run(decision.by, "run")) : null,
  );
}

/** What a due retraining came to: a promotion since then has answered it. */
function retraining(window, champion) {
  const isNew =
    champion &&
    champion.version !== window.champion &&
    Date.parse(champion.data_end) > Date.parse(window.data_end);
  return isNew ? badge("idle", `was due; ${champion.version} came of it or since`) : badge("warn", "due");
}

/** What is known of the quality in a window, as a link to the window's report. */
function quality(cycle, window) {
  const judged = window.quality;
  const leads = (text) =>
    report(cycle.name, window.report, "report.html", text, `report of ${interval(window.window)}`) ?? text;
  if (judged) {
    const word = judged.is_worse ? badge("bad", "worse than it was") : badge("good", "as it was");
    return [leads(`${judged.metric} ${metric(judged.value)} (${metric(judged.low)} – ${metric(judged.high)})`), " ", word];
  }
  const guess = window.estimate;
  return guess
    ? [leads(`${guess.metric} ${metric(guess.value)}`), " ", badge("idle", "an estimate: no labels yet")]
    : "not known: no labels yet";
}

function served(cycle, endpoint) {
  const sum = (name) => endpoint.variants.reduce((total, each) => total + each[name], 0);
  const worst = (name) => Math.max(...endpoint.variants.map((each) => each[name] ?? -1));
  const state =
    endpoint.status === "InService"
      ? badge("good", "in service")
      : badge(endpoint.status === "Failed" ? "bad" : "warn", endpoint.status);
  const errors = sum("errors_5xx") + sum("errors_4xx");
  const requests = sum("invocations");
  const told = requests
    ? `${counted(requests, "request")} (${sum("requests_per_s").toFixed(2)} / s), p50 ${ms(worst("p50_ms"))}, p99 ${ms(worst("p99_ms"))}, ${counted(errors, "error")}`
    : "no requests";
  return h(
    "dl",
    {},
    pair("Endpoint", state),
    pair("In the last hour", h("a", { href: cyclePage(cycle, "#endpoint") }, told), errors ? [" ", badge("bad", "errors")] : ""),
  );
}

function nextRuns(cycle, dags) {
  const one = ([of, text]) => {
    const dag = dags[cycle.dags[of]];
    if (!dag) return h("div", {}, `${text}: not known, Airflow does not tell of the DAG`);
    const next = dag.next_dagrun_run_after ? moment(dag.next_dagrun_run_after) : "none, the schedule is over";
    return h("div", {}, ui(dagPage(dag.dag_id), text), " ", dag.is_paused ? badge("idle", "paused") : next);
  };
  return [
    ["train", "training"],
    ["score", "scoring"],
  ].map(one);
}

function last(ledger, watch) {
  const found = [ledger?.last, watch?.decision]
    .filter(Boolean)
    .sort((one, other) => Date.parse(other.at) - Date.parse(one.at))[0];
  return found
    ? pair("Last decision", found.says, " ", run(found.by, "run"), " ", h("span", { class: "quiet" }, since(found.at)))
    : null;
}

function approval(cycle, detail) {
  const { dag_id: dag, dag_run_id: id, task_id: task } = detail.task_instance;
  return h(
    "p",
    { class: "waiting" },
    badge("warn", "waits for a person"),
    ` ${detail.subject} `,
    h("a", { href: cyclePage(cycle, "#open") }, "Answer"),
    " ",
    ui(taskPage(dag, id, task), "task", { "aria-label": `task ${task} of run ${id}` }),
  );
}
