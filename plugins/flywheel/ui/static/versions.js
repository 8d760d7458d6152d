// Versions and promotions from the ledger, with reasons, beside their status in the registry.
import { h } from "./dom.js";
import { metric, moment, utcDate } from "./format.js";
import { run } from "./links.js";
import { badge } from "./parts.js";
import { cell, row, table } from "./table.js";
import { report } from "./viewer.js";

const KINDS = {
  promotion: ["good", "promoted"],
  decision: ["idle", "decided"],
  rejection: ["bad", "rejected"],
  rollback: ["warn", "rolled back"],
};

/** Builds the ledger's table, newest line first. */
export function versions(cycle, ledger, registry) {
  const statuses = new Map((registry ?? []).map(({ arn, status }) => [arn, status]));
  const metricName = ledger.entries.find(({ verdict }) => verdict)?.verdict.metric ?? "Metric";
  const heads = ["No.", "What", "Version", "Data to", metricName, "Why", "When", "More"];
  const line = (entry) =>
    row(heads, cells(cycle, ledger, statuses, entry), {
      class: entry.number === ledger.champion ? "current" : null,
      "data-entry": entry.kind,
      "data-number": entry.number,
      "data-version": entry.version_number,
    });
  return h(
    "div",
    {},
    table("The ledger", heads, ledger.entries.map(line), { tall: true }),
    registry?.length ? registered(cycle, ledger, registry) : null,
    ledger.total > ledger.entries.length &&
      h("p", { class: "quiet" }, `The last ${ledger.entries.length} of ${ledger.total} entries.`),
  );
}

/** Tells how the holdout's rows were answered at the threshold, where there are two classes. */
function confusion(matrix) {
  const classes = Object.keys(matrix);
  if (classes.length !== 2) return null;
  const [no, yes] = classes;
  const of = (truth, said) => matrix[truth][said] ?? 0;
  return `answers: ${of(yes, yes)} found, ${of(yes, no)} missed, ${of(no, yes)} false alarms, ${of(no, no)} rightly none`;
}

function cells(cycle, ledger, statuses, entry) {
  const { number, verdict, evaluation } = entry;
  const upTo = `up to ${utcDate(entry.data_end)}`;
  const page = (file, text, title) => report(cycle, evaluation, file, text, title);
  const value = verdict?.challenger ? metric(verdict.challenger.value) : null;
  const gain = verdict?.gain && `gain ${verdict.gain.value > 0 ? "+" : ""}${metric(verdict.gain.value)}`;
  const answered = verdict?.confusion && confusion(verdict.confusion);
  const isChampion = number === ledger.champion;
  const status = statuses.get(entry.arn);
  return [
    String(number),
    [badge(...KINDS[entry.kind]), isChampion && h("strong", {}, " champion"), entry.is_withdrawn && " (withdrawn)"],
    [entry.version ?? "–", status && h("div", { class: "quiet" }, `registry: ${status}`)],
    cell(utcDate(entry.data_end), { class: "date" }),
    value ? [page("report.html", value, `evaluation ${upTo}`) ?? value, gain && h("div", { class: "quiet" }, gain), answered && h("div", { class: "quiet" }, answered)] : "–",
    cell(reasons(entry), { class: "reasons" }),
    cell(run(entry.by, moment(entry.at)) ?? moment(entry.at), { class: "date" }),
    [page("report.html", "report", `evaluation ${upTo}`), " ", page("model_card.html", "card", `model card ${upTo}`)],
  ];
}

/** Lists all versions of the registry; those in the ledger link to their model cards. */
function registered(cycle, ledger, registry) {
  const evaluations = new Map(
    [...ledger.promotions, ...ledger.entries].filter(({ arn }) => arn).map(({ arn, evaluation }) => [arn, evaluation]),
  );
  const heads = ["Version", "Status", "Created"];
  const line = ({ arn, version, version_number, status, created }) => {
    const card = report(cycle, evaluations.get(arn), "model_card.html", version, `model card of ${version}`);
    return row(heads, [card ?? version, status, moment(created)], { "data-version": version_number });
  };
  return h(
    "details",
    { "data-keep": "registry" },
    h("summary", {}, `All ${registry.length} versions in the registry`),
    table("The registry", heads, registry.map(line), { tall: true }),
  );
}

function reasons(entry) {
  const [first, ...rest] = entry.reasons;
  const head = entry.replaces ? `From ${entry.replaces}. ${first ?? ""}` : (first ?? "–");
  if (!rest.length) return head;
  return h(
    "details",
    { "data-keep": `why-${entry.number}` },
    h("summary", {}, head),
    h("ul", {}, rest.map((text) => h("li", {}, text))),
  );
}
