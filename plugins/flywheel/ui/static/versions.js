// Versions and promotions from the ledger, with reasons; the registry's word beside the ledger's.
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

/** The ledger, the newest line first. */
export function versions(cycle, ledger, registry) {
  const status = new Map((registry ?? []).map((each) => [each.arn, each.status]));
  const named = ledger.entries.find((each) => each.verdict)?.verdict.metric ?? "Metric";
  const heads = ["No.", "What", "Version", "Data to", named, "Why", "When", "More"];
  const line = (each) =>
    row(heads, cells(cycle, ledger, status, each), {
      class: each.number === ledger.champion ? "current" : null,
      "data-entry": each.kind,
      "data-number": each.number,
      "data-version": each.version_number,
    });
  return h(
    "div",
    {},
    table("The ledger", heads, ledger.entries.map(line), { tall: true }),
    registry?.length ? registered(cycle, ledger, registry) : null,
    ledger.total > ledger.entries.length &&
      h("p", { class: "quiet" }, `The last ${ledger.entries.length} of ${ledger.total} lines.`),
  );
}

function cells(cycle, ledger, status, each) {
  const { number, verdict, evaluation } = each;
  const upTo = `up to ${utcDate(each.data_end)}`;
  const page = (file, text, title) => report(cycle, evaluation, file, text, title);
  const value = verdict?.challenger ? metric(verdict.challenger.value) : null;
  const gain = verdict?.gain && `gain ${verdict.gain.value >= 0 ? "+" : ""}${metric(verdict.gain.value)}`;
  const isChampion = number === ledger.champion;
  const registered = status.get(each.arn);
  return [
    String(number),
    [badge(...KINDS[each.kind]), isChampion && h("strong", {}, " champion"), each.is_withdrawn && " (withdrawn)"],
    [each.version ?? "–", registered && h("div", { class: "quiet" }, `registry: ${registered}`)],
    cell(utcDate(each.data_end), { class: "date" }),
    value ? [page("report.html", value, `evaluation ${upTo}`) ?? value, gain && h("div", { class: "quiet" }, gain)] : "–",
    cell(reasons(each), { class: "reasons" }),
    cell(run(each.by, moment(each.at)) ?? moment(each.at), { class: "date" }),
    [page("report.html", "report", `evaluation ${upTo}`), " ", page("model_card.html", "card", `model card ${upTo}`)],
  ];
}

/** All versions of the registry; those of the ledger lead to their model cards. */
function registered(cycle, ledger, registry) {
  const places = new Map(
    [...ledger.promotions, ...ledger.entries].filter((each) => each.arn).map((each) => [each.arn, each.evaluation]),
  );
  const heads = ["Version", "Status", "Made"];
  const line = ({ arn, version, version_number, status, created }) => {
    const card = report(cycle, places.get(arn), "model_card.html", version, `model card of ${version}`);
    return row(heads, [card ?? version, status, moment(created)], { "data-version": version_number });
  };
  return h(
    "details",
    { "data-keep": "registry" },
    h("summary", {}, `All ${registry.length} versions in the registry`),
    table("The registry", heads, registry.map(line), { tall: true }),
  );
}

function reasons(each) {
  const [first, ...rest] = each.reasons;
  const head = each.replaces ? `From ${each.replaces}. ${first ?? ""}` : (first ?? "–");
  if (!rest.length) return head;
  return h(
    "details",
    { "data-keep": `why-${each.number}` },
    h("summary", {}, head),
    h("ul", {}, rest.map((text) => h("li", {}, text))),
  );
}
