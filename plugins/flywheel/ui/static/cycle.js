// One cycle: what waits, quality over time, drift, versions, runs, the endpoint, and what can be done.
import { actions, approvals } from "./actions.js";
import { airflow, each, flywheel, pageRoot } from "./api.js";
import { h } from "./dom.js";
import { drift } from "./drift.js";
import { endpoint } from "./endpoint.js";
import { moment, utcDate } from "./format.js";
import { dagPage, run, ui } from "./links.js";
import { fresh, part, section, since, troubles } from "./parts.js";
import { quality, rows } from "./quality.js";
import { asked, runs } from "./runs.js";
import { caught, traffic } from "./traffic.js";
import { versions } from "./versions.js";
import { report } from "./viewer.js";
import { asks, windows } from "./windows.js";

let shown = 36;
/** What the endpoint captured last; it is read beside the view, which does not wait for it. */
let captured = null;

function capture(name, again) {
  const isFirst = !captured;
  flywheel(`/cycles/${name}/traffic`)
    .catch((error) => ({ as_of: captured?.as_of, value: captured?.value, error: error.message }))
    .then((part) => {
      captured = part;
      if (isFirst) again();
    });
}

/** What the view shows, as sections by name: each is only drawn anew where its data has changed. */
export async function cycle(name, again) {
  capture(name, again);
  const found = await flywheel(`/cycles/${name}?windows=${shown}`);
  const more = await each({
    runs: asked(found),
    open: airflow(`/dags/${found.dags.train}/dagRuns/~/hitlDetails?response_received=false&limit=20`),
  });
  const { ledger } = found.parts;
  const open = more.open.value?.hitl_details ?? [];
  const refused = Object.values(more).map(({ error }) => ({ error: error && `Airflow: ${error.message}` }));
  const parts = [...Object.values(found.parts), ...refused, ...(captured ? [captured] : [])];
  return {
    head: [[found.may, ledger], () => head(found, ledger, again)],
    fresh: [Math.random(), () => fresh(parts, again)],
    trouble: [parts.map(({ error }) => error), () => troubles(parts)],
    open: [open, () => h("div", { id: "open" }, approvals(found, open, ledger.value, again))],
    ...watched(found, again),
    ...recorded(found, more.runs, again),
  };
}

/** What monitoring and the endpoint tell. */
function watched(found, again) {
  const { ledger, watch, requests, replay, endpoint: served } = found.parts;
  const { name } = found;
  const evaluations = places(ledger.value);
  return {
    quality: [
      [watch, ledger.value?.promotions, replay],
      () =>
        section(
          "Quality over time",
          "quality",
          part(watch, (value) => shownQuality(found, value, evaluations, again)),
        ),
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
            ? part(captured, (value) => caught(name, value, watch.value))
            : h("p", { class: "quiet", role: "status" }, "Looking for what the endpoint captured ..."),
        ),
    ],
    endpoint: [
      [served, served.value && served.as_of?.slice(0, 16)],
      () =>
        section(
          "Endpoint",
          "endpoint",
          part(
            served,
            (value) => endpoint(value, served.as_of),
            "No endpoint yet: the first promoted version brings it.",
          ),
        ),
    ],
    windows: [
      [watch, requests],
      () =>
        section(
          "Windows",
          "windows",
          part(watch, (value) => windows(name, value, evaluations)),
          part(requests, (value) => asks(name, value, watch.value), "Monitoring has asked for nothing yet."),
        ),
    ],
  };
}

/** What the ledger and Airflow tell. */
function recorded(found, ran, again) {
  const { ledger, registry } = found.parts;
  const isLive = ran.value?.dag_runs.some((each) => ["running", "queued"].includes(each.state));
  return {
    ledger: [
      [ledger, registry],
      () =>
        section(
          "Versions and promotions",
          "ledger",
          part(ledger, (value) =>
            value.entries.length
              ? versions(found.name, value, registry.value)
              : h("p", { class: "quiet" }, "Nothing was decided yet: the first training brings the first version."),
          ),
          registry.error && h("p", { class: "problem" }, "The registry cannot be read now."),
        ),
    ],
    runs: [
      [ran, isLive && Math.random()],
      () =>
        section(
          "Runs",
          "runs",
          ran.error ? h("p", { class: "problem" }, ran.error.message) : runs(found, ran.value, again),
        ),
    ],
  };
}

/** Where each version was evaluated. */
const places = (ledger) =>
  new Map(
    [...(ledger?.entries ?? []), ...(ledger?.promotions ?? [])]
      .filter((entry) => entry.version && entry.evaluation)
      .map((entry) => [entry.version, entry.evaluation]),
  );

function head(found, ledger, again) {
  const value = ledger.value;
  const known = [...(value?.entries ?? []), ...(value?.promotions ?? [])];
  const champion = known.find((entry) => entry.number === value.champion);
  return h(
    "header",
    { class: "top" },
    h("nav", { "aria-label": "Where you are" }, h("a", { href: `${pageRoot}/` }, "Flywheel"), " / ", found.name),
    h("h1", {}, found.name),
    h("p", { class: "quiet" }, found.description),
    h("p", {}, champion ? inProduction(found.name, champion) : "Nothing is in production."),
    h("p", {}, "DAGs: ", Object.values(found.dags).flatMap((dag) => [ui(dagPage(dag), dag), " "])),
    actions(found, value, again),
  );
}

const inProduction = (name, champion) => [
  h("strong", { class: "champion" }, champion.version),
  " is in production, promoted ",
  run(champion.by, moment(champion.at)),
  " (",
  since(champion.at),
  `), trained on data to ${utcDate(champion.data_end)} UTC. `,
  report(name, champion.evaluation, "report.html", "Evaluation", "evaluation of the champion"),
  " ",
  report(name, champion.evaluation, "model_card.html", "Model card", "model card of the champion"),
];

function shownQuality(found, watch, evaluations, again) {
  const { ledger, replay } = found.parts;
  if (!watch.windows.length)
    return h("p", { class: "quiet" }, "No window was watched yet: the first comes after the first promotion.");
  const widen = () => {
    shown = Math.min(1000, shown * 4);
    again();
  };
  const promotions = ledger.value?.promotions ?? [];
  return h(
    "div",
    {},
    quality(found, rows(watch, replay.value), { promotions, replay: replay.value, evaluations }),
    replay.value
      ? h("p", {}, report(found.name, replay.value.place, "replay.html", "The replay's report", "replay"))
      : null,
    watch.total > watch.windows.length &&
      h(
        "button",
        { onclick: widen, "data-key": "widen" },
        `Show more than the last ${watch.windows.length} of ${watch.total} windows`,
      ),
  );
}
