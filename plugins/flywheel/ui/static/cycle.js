// One cycle: what waits, quality over time, drift, versions, runs, the endpoint, and what can be done.
import { actions, approvals } from "./actions.js";
import { airflow, each, flywheel, pageRoot } from "./api.js";
import { h } from "./dom.js";
import { drift } from "./drift.js";
import { ago, count, moment, ms, utcDate } from "./format.js";
import { dagPage, ui } from "./links.js";
import { badge, pair, part, section } from "./parts.js";
import { quality, rows } from "./quality.js";
import { asked, runs } from "./runs.js";
import { versions } from "./versions.js";
import { report } from "./viewer.js";
import { asks, windows } from "./windows.js";

let shown = 36;

/** What the view shows, as sections by name: each is only drawn anew where its data has changed. */
export async function cycle(name, again) {
  const found = await flywheel(`/cycles/${name}?windows=${shown}`);
  const dag = found.dags.train;
  const more = await each({
    runs: asked(found),
    open: airflow(`/dags/${dag}/dagRuns/~/hitlDetails?response_received=false&limit=20`),
  });
  const { ledger, watch, requests, registry, replay, endpoint } = found.parts;
  const open = more.open.value?.hitl_details ?? [];
  return {
    head: [[found.may, ledger], () => head(found, ledger, again)],
    open: [open, () => h("div", {}, approvals(found, open, again))],
    quality: [
      [watch.value, ledger.value?.promotions, replay],
      () =>
        section(
          "Quality over time",
          "quality",
          part(watch, (value) => shownQuality(found, value, ledger, replay, again)),
        ),
    ],
    drift: [
      watch,
      () =>
        section(
          "Drift",
          "drift",
          part(watch, (value) => drift(name, value)),
        ),
    ],
    windows: [
      [watch, requests],
      () =>
        section(
          "Windows, labels and traffic",
          "windows",
          part(watch, (value) => windows(name, value)),
          part(requests, asks, "Monitoring has asked for nothing yet."),
        ),
    ],
    ledger: [
      [ledger, registry],
      () =>
        section(
          "Versions and promotions",
          "ledger",
          part(ledger, (value) =>
            value.entries.length
              ? versions(name, value, registry.value)
              : h("p", { class: "quiet" }, "Nothing was decided yet."),
          ),
          registry.error
            ? h("p", { class: "problem" }, `The registry cannot be read: ${registry.error}`)
            : null,
        ),
    ],
    runs: [
      more.runs,
      () =>
        section(
          "Runs",
          "runs",
          more.runs.error
            ? h("p", { class: "problem", role: "alert" }, more.runs.error.message)
            : runs(found, more.runs.value),
        ),
    ],
    endpoint: [
      endpoint,
      () =>
        section(
          "Endpoint",
          "endpoint",
          part(endpoint, served, "No endpoint yet: the first promoted version brings it."),
        ),
    ],
  };
}

function head(found, ledger, again) {
  const champion =
    ledger.value?.entries.find((entry) => entry.number === ledger.value.champion) ??
    ledger.value?.promotions.find((entry) => entry.number === ledger.value.champion);
  const told = champion
    ? [
        h("strong", { class: "champion" }, champion.version),
        ` is in production, promoted ${moment(champion.at)} (${ago(champion.at)}), trained on data to ${utcDate(champion.data_end)} UTC. `,
        report(found.name, champion.evaluation, "report.html", "Evaluation", "evaluation of the champion"),
        " ",
        report(
          found.name,
          champion.evaluation,
          "model_card.html",
          "Model card",
          "model card of the champion",
        ),
      ]
    : "Nothing is in production.";
  return h(
    "header",
    { class: "top" },
    h(
      "nav",
      { "aria-label": "Where you are" },
      h("a", { href: `${pageRoot}/` }, "Flywheel"),
      " / ",
      found.name,
    ),
    h("h1", {}, found.name),
    h("p", { class: "quiet" }, found.description),
    h("p", {}, told),
    h(
      "p",
      {},
      "DAGs: ",
      Object.values(found.dags).flatMap((dag) => [ui(dagPage(dag), dag), " "]),
    ),
    actions(found, ledger.value, again),
  );
}

function shownQuality(found, watch, ledger, replay, again) {
  if (!watch.windows.length)
    return h(
      "p",
      { class: "quiet" },
      "No window was watched yet. The first one comes after the first promotion.",
    );
  const more =
    watch.total > watch.windows.length &&
    h(
      "button",
      {
        onclick: () => {
          shown = Math.min(1000, shown * 4);
          again();
        },
      },
      `Show more than the last ${watch.windows.length} of ${watch.total} windows`,
    );
  return h(
    "div",
    {},
    quality(rows(watch, replay.value), ledger.value?.promotions ?? [], replay.value, found.metric),
    replay.value
      ? h("p", {}, report(found.name, replay.value.place, "replay.html", "The replay's report", "replay"))
      : null,
    more,
  );
}

function served(endpoint) {
  const line = (each) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, each.name),
      h("td", {}, String(each.weight)),
      h("td", {}, String(each.instances)),
      h("td", {}, count(each.invocations)),
      h("td", {}, each.requests_per_s.toFixed(3)),
      h("td", {}, ms(each.p50_ms)),
      h("td", {}, ms(each.p99_ms)),
      h("td", {}, count(each.errors_4xx)),
      h("td", {}, count(each.errors_5xx)),
    );
  const heads = ["Variant", "Weight", "Instances", "Requests", "per s", "p50", "p99", "4XX", "5XX"];
  return h(
    "div",
    {},
    h(
      "dl",
      {},
      pair(
        "State",
        badge(endpoint.status === "InService" ? "good" : "warn", endpoint.status),
        endpoint.failure ? ` ${endpoint.failure}` : "",
      ),
      pair("Serves", endpoint.config),
      pair("Changed", `${moment(endpoint.changed)} (${ago(endpoint.changed)})`),
    ),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Variants in the last hour" },
      h(
        "table",
        {},
        h("caption", {}, "The last hour, by CloudWatch"),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            heads.map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h("tbody", {}, endpoint.variants.map(line)),
      ),
    ),
  );
}
