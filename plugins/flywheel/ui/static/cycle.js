// The view of one cycle: approvals, quality over time, drift, versions, runs, the endpoint, and actions.
import { actions, approvals } from "./actions.js";
import { airflow, flywheel, pageRoot, settle } from "./api.js";
import { h } from "./dom.js";
import { drift } from "./drift.js";
import { endpoint, servedText } from "./endpoint.js";
import { moment, utcDate } from "./format.js";
import { dagPage, run, ui } from "./links.js";
import { fresh, part, section, since, troubles } from "./parts.js";
import { chartRows, quality } from "./quality.js";
import { fetchRuns, runs } from "./runs.js";
import { capturedTraffic, traffic } from "./traffic.js";
import { versions } from "./versions.js";
import { report } from "./viewer.js";
import { requestList, windows } from "./windows.js";

/** How many windows are shown. */
let windowLimit = 36;
/** What the endpoint has captured; read in the background, since it takes longer than the view. */
let captured = null;

async function readCapture(name, refresh) {
  const isFirst = !captured;
  try {
    captured = await flywheel(`/cycles/${name}/traffic`);
  } catch (error) {
    captured = { as_of: captured?.as_of, value: captured?.value, error: error.message };
  }
  if (isFirst) refresh();
}

/** Returns the view's sections by name, as data and renderer: a section is redrawn when its data changes. */
export async function cycle(name, refresh) {
  readCapture(name, refresh);
  const view = await flywheel(`/cycles/${name}?windows=${windowLimit}`);
  const answers = await settle({
    runs: fetchRuns(view),
    open: airflow(`/dags/${view.dags.train}/dagRuns/~/hitlDetails?response_received=false&limit=20`),
  });
  const { ledger } = view.parts;
  const open = answers.open.value?.hitl_details ?? [];
  const failures = Object.values(answers).map(({ error }) => ({ error: error && `Airflow: ${error.message}` }));
  const parts = [...Object.values(view.parts), ...failures, ...(captured ? [captured] : [])];
  return {
    head: [[view.may, ledger, view.parts.endpoint.value?.served], () => head(view, ledger, refresh)],
    fresh: [Math.random(), () => fresh(parts, refresh)],
    trouble: [parts.map(({ error }) => error), () => troubles(parts)],
    open: [open, () => h("div", { id: "open" }, approvals(view, open, ledger.value, refresh))],
    ...monitoringSections(view, refresh),
    ...historySections(view, answers.runs, refresh),
  };
}

/** Returns the sections about monitoring and the endpoint. */
function monitoringSections(view, refresh) {
  const { ledger, watch, requests, replay, endpoint: served } = view.parts;
  const { name } = view;
  const evaluations = evaluationPlaces(ledger.value);
  return {
    quality: [
      [watch, ledger.value?.promotions, replay],
      () =>
        section("Quality over time", "quality", part(watch, (value) => qualityContent(view, value, evaluations, refresh))),
    ],
    drift: [watch, () => section("Drift", "drift", part(watch, (value) => drift(name, value)))],
    traffic: [
      [watch, captured],
      () =>
        section(
          "Traffic and labels",
          "traffic",
          part(watch, (value) => traffic(name, value)),
          captured
            ? part(captured, (value) => capturedTraffic(name, value, watch.value))
            : h("p", { class: "quiet", role: "status" }, "Reading what the endpoint captured ..."),
        ),
    ],
    endpoint: [
      [served, served.value && served.as_of?.slice(0, 16), ledger.value?.champion],
      () =>
        section(
          "Endpoint",
          "endpoint",
          part(served, (value) => endpoint(value, served.as_of, championOf(ledger.value)?.version), "No endpoint yet: the first promoted version brings it."),
        ),
    ],
    windows: [
      [watch, requests],
      () =>
        section(
          "Windows",
          "windows",
          part(watch, (value) => windows(name, value, evaluations)),
          part(requests, (value) => requestList(name, value, watch.value), "Monitoring has not requested anything yet."),
        ),
    ],
  };
}

/** Returns the sections about the ledger and Airflow's runs. */
function historySections(view, runsAnswer, refresh) {
  const { ledger, registry } = view.parts;
  const isLive = runsAnswer.value?.dag_runs.some(({ state }) => ["running", "queued"].includes(state));
  return {
    ledger: [
      [ledger, registry],
      () =>
        section(
          "Versions and promotions",
          "ledger",
          part(ledger, (value) =>
            value.entries.length
              ? versions(view.name, value, registry.value)
              : h("p", { class: "quiet" }, "Nothing has been decided yet: the first training brings the first version."),
          ),
          registry.error && h("p", { class: "problem" }, "The registry cannot be read now."),
        ),
    ],
    runs: [
      [runsAnswer, isLive && Math.random()],
      () =>
        section(
          "Runs",
          "runs",
          runsAnswer.error ? h("p", { class: "problem" }, runsAnswer.error.message) : runs(view, runsAnswer.value, refresh),
        ),
    ],
  };
}

/** Maps each version to the place of its evaluation. */
const evaluationPlaces = (ledger) =>
  new Map(
    [...(ledger?.entries ?? []), ...(ledger?.promotions ?? [])]
      .filter((entry) => entry.version && entry.evaluation)
      .map((entry) => [entry.version, entry.evaluation]),
  );

function head(view, ledger, refresh) {
  const value = ledger.value;
  const champion = championOf(value);
  return h(
    "header",
    { class: "top" },
    h("nav", { "aria-label": "Where you are" }, h("a", { href: `${pageRoot}/` }, "Flywheel"), " / ", view.name),
    h("h1", {}, view.name),
    h("p", { class: "quiet" }, view.description),
    h("p", {}, champion ? championText(view.name, champion) : "Nothing is in production: there is no champion."),
    view.parts.endpoint.value &&
      h("p", {}, "The endpoint serves ", servedText(view.parts.endpoint.value, champion?.version), "."),
    h("p", {}, "DAGs: ", Object.values(view.dags).flatMap((dag) => [ui(dagPage(dag), dag), " "])),
    actions(view, value, refresh),
  );
}

/** Returns the champion's line of the ledger. */
const championOf = (ledger) =>
  [...(ledger?.entries ?? []), ...(ledger?.promotions ?? [])].find(({ number }) => number === ledger.champion);

const dated = ({ by, at }) => [run(by, moment(at)), " (", since(at), ")"];

const championText = (name, champion) => [
  h("strong", { class: "champion" }, champion.version),
  champion.returned
    ? [` is the champion again since the rollback from ${champion.returned.replaces}, `, dated(champion.returned)]
    : [" is the champion, promoted ", dated(champion)],
  `, trained on data to ${utcDate(champion.data_end)} UTC. `,
  report(name, champion.evaluation, "report.html", "Evaluation", "evaluation of the champion"),
  " ",
  report(name, champion.evaluation, "model_card.html", "Model card", "model card of the champion"),
];

function qualityContent(view, watch, evaluations, refresh) {
  const { ledger, replay } = view.parts;
  if (!watch.windows.length)
    return h("p", { class: "quiet" }, "No window has been monitored yet: the first comes after the first promotion.");
  const widen = () => {
    windowLimit = Math.min(1000, windowLimit * 4);
    refresh();
  };
  const promotions = ledger.value?.promotions ?? [];
  return h(
    "div",
    {},
    quality(view, chartRows(watch, replay.value), { promotions, replay: replay.value, evaluations }),
    replay.value
      ? h("p", {}, report(view.name, replay.value.place, "replay.html", "The replay's report", "replay"))
      : null,
    watch.total > watch.windows.length &&
      h(
        "button",
        { onclick: widen, "data-key": "widen" },
        `Show more than the last ${watch.windows.length} of ${watch.total} windows`,
      ),
  );
}
