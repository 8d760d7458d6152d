// A card for each cycle: what is in production, how good it is, whether it drifts, how it is served.
import { airflow, each, flywheel, pageRoot } from "./api.js";
import { h } from "./dom.js";
import { ago, count, exactly, interval, metric, moment, ms, utcDate } from "./format.js";
import { dagPage, run, taskPage, ui } from "./links.js";
import { badge, pair, part } from "./parts.js";

/** All cards, as sections by name: each is only drawn anew where its data has changed. */
export async function overview() {
  const asked = await each({
    cards: flywheel("/cycles"),
    dags: airflow("/dags?tags=flywheel&limit=100"),
    open: airflow("/dags/~/dagRuns/~/hitlDetails?response_received=false&limit=50"),
  });
  if (asked.cards.error) throw asked.cards.error;
  const { cycles, hidden } = asked.cards.value;
  const dags = Object.fromEntries((asked.dags.value?.dags ?? []).map((dag) => [dag.dag_id, dag]));
  const open = asked.open.value?.hitl_details ?? [];
  const none = hidden
    ? "There are cycles, but you may not see their DAGs. Ask whoever manages Airflow's users."
    : "There is no cycle yet: add one below include/cycles.";
  const next = Object.fromEntries(
    Object.entries(dags).map(([id, dag]) => [id, [dag.next_dagrun_run_after, dag.is_paused]]),
  );
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
    cards: [
      [cycles, open, next],
      () =>
        cycles.length
          ? h(
              "div",
              { class: "cards" },
              cycles.map((cycle) => card(cycle, dags, open)),
            )
          : h("p", { class: "empty" }, none),
    ],
  };
}

function card(cycle, dags, open) {
  const { ledger, watch, endpoint } = cycle.parts;
  const mine = open.filter((each) => Object.values(cycle.dags).includes(each.task_instance.dag_id));
  return h(
    "article",
    { class: "card", "aria-labelledby": `card-${cycle.name}`, "data-cycle": cycle.name },
    h("h2", { id: `card-${cycle.name}` }, h("a", { href: `${pageRoot}/cycles/${cycle.name}` }, cycle.name)),
    h("p", { class: "quiet" }, cycle.description),
    mine.map((each) => approval(each)),
    part(ledger, (value) => champion(value), "No model was trained yet."),
    part(watch, (value) => watched(value, ledger.value?.champion)),
    part(endpoint, (value) => served(value), "No endpoint yet: the first promoted version brings it."),
    h("dl", {}, pair("Next run", nextRun(cycle, dags)), last(ledger.value, watch.value)),
  );
}

function champion({ champion: entry, entries }) {
  if (!entry)
    return h(
      "p",
      { class: "quiet" },
      entries
        ? "Nothing is in production: no version was promoted, or all were taken back."
        : "No model was trained yet.",
    );
  const said = entry.verdict?.challenger;
  return h(
    "dl",
    {},
    pair("Champion", h("strong", { class: "champion" }, entry.version ?? "–"), " ", run(entry.by, "run")),
    pair("Trained on data to", h("time", { datetime: entry.data_end }, utcDate(entry.data_end)), " UTC"),
    pair(
      "Promoted",
      h("time", { datetime: entry.at, title: exactly(entry.at) }, `${moment(entry.at)} (${ago(entry.at)})`),
    ),
    pair(
      "Its own evaluation",
      said
        ? `${entry.verdict.metric} ${metric(said.value)} (${metric(said.low)} – ${metric(said.high)})`
        : "–",
    ),
  );
}

function watched({ window, decision }, champion) {
  if (!window) return h("p", { class: "quiet" }, "No window was watched yet.");
  const state = window.held_back
    ? badge("warn", "held back")
    : window.is_alarm
      ? badge("bad", "alarm")
      : badge("good", "quiet");
  return h(
    "dl",
    {},
    pair("Newest window", interval(window.window)),
    pair("Quality there", quality(window)),
    pair("Drift", state, window.why === "nothing" ? "" : ` ${window.held_back ?? window.why}`),
    decision?.due ? pair("Retraining", retraining(window, champion)) : null,
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

export function quality(window) {
  const judged = window.quality;
  if (judged) {
    const word = judged.is_worse ? badge("bad", "worse than it was") : badge("good", "as it was");
    return [
      `${judged.metric} ${metric(judged.value)} (${metric(judged.low)} – ${metric(judged.high)}) `,
      word,
    ];
  }
  const guess = window.estimate;
  return guess
    ? [`${guess.metric} ${metric(guess.value)} `, badge("idle", "an estimate: no labels yet")]
    : "not known: no labels yet";
}

function served(endpoint) {
  const sum = (name) => endpoint.variants.reduce((total, each) => total + each[name], 0);
  const worst = (name) => Math.max(...endpoint.variants.map((each) => each[name] ?? -1));
  const state =
    endpoint.status === "InService"
      ? badge("good", "in service")
      : badge(endpoint.status === "Failed" ? "bad" : "warn", endpoint.status);
  const errors = sum("errors_5xx") + sum("errors_4xx");
  return h(
    "dl",
    {},
    pair("Endpoint", state),
    pair(
      "In the last hour",
      sum("invocations")
        ? `${count(sum("invocations"))} requests (${sum("requests_per_s").toFixed(2)} / s), p50 ${ms(worst("p50_ms"))}, p99 ${ms(worst("p99_ms"))}, ${count(errors)} errors`
        : "no requests",
    ),
  );
}

function nextRun(cycle, dags) {
  const dag = dags[cycle.dags.train];
  if (!dag) return "not known: Airflow has not read the DAG";
  if (dag.is_paused) return [badge("idle", "paused"), " ", ui(dagPage(dag.dag_id), dag.dag_id)];
  return dag.next_dagrun_run_after
    ? [`${moment(dag.next_dagrun_run_after)} `, ui(dagPage(dag.dag_id), "training")]
    : ["none: the schedule is over ", ui(dagPage(dag.dag_id), "training")];
}

function last(ledger, watch) {
  const found = [ledger?.last, watch?.decision]
    .filter(Boolean)
    .sort((one, other) => Date.parse(other.at) - Date.parse(one.at))[0];
  return found
    ? pair(
        "Last decision",
        found.says,
        " ",
        run(found.by, "run"),
        " ",
        h("span", { class: "quiet" }, ago(found.at)),
      )
    : null;
}

function approval(detail) {
  const { dag_id: dag, dag_run_id: id, task_id: task } = detail.task_instance;
  return h(
    "p",
    { class: "waiting" },
    badge("warn", "waits for a person"),
    ` ${detail.subject} `,
    ui(`${taskPage(dag, id, task)}/required_actions`, "answer"),
  );
}
