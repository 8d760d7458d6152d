// Versions and promotions from the ledger, with reasons; the registry's word beside the ledger's.
import { h } from "./dom.js";
import { metric, moment, utcDate } from "./format.js";
import { run } from "./links.js";
import { badge } from "./parts.js";
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
  const shown = ledger.entries;
  const line = (each) =>
    h(
      "tr",
      { class: each.number === ledger.champion ? "current" : null },
      h("td", {}, String(each.number)),
      h(
        "td",
        {},
        badge(...KINDS[each.kind]),
        each.number === ledger.champion ? h("strong", {}, " champion") : "",
        each.is_withdrawn ? " (withdrawn)" : "",
      ),
      h(
        "td",
        {},
        each.version ?? "–",
        status.has(each.arn) ? h("div", { class: "quiet" }, `registry: ${status.get(each.arn)}`) : "",
      ),
      h("td", { class: "date" }, utcDate(each.data_end)),
      h(
        "td",
        {},
        each.verdict?.challenger ? `${metric(each.verdict.challenger.value)}` : "–",
        each.verdict?.gain
          ? h(
              "div",
              { class: "quiet" },
              `gain ${each.verdict.gain.value >= 0 ? "+" : ""}${metric(each.verdict.gain.value)}`,
            )
          : "",
      ),
      h("td", { class: "reasons" }, reasons(each)),
      h("td", { class: "date" }, moment(each.at)),
      h(
        "td",
        {},
        [
          run(each.by, "run"),
          report(
            cycle,
            each.evaluation,
            "report.html",
            "report",
            `evaluation up to ${utcDate(each.data_end)}`,
          ),
          report(
            cycle,
            each.evaluation,
            "model_card.html",
            "card",
            `model card up to ${utcDate(each.data_end)}`,
          ),
        ]
          .filter(Boolean)
          .flatMap((link) => [link, " "]),
      ),
    );
  const heads = [
    "No.",
    "What",
    "Version",
    "Data to",
    ledger.entries.find((each) => each.verdict)?.verdict.metric ?? "Metric",
    "Why",
    "When",
    "More",
  ];
  return h(
    "div",
    {},
    h(
      "div",
      { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "The ledger" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            heads.map((head) => h("th", { scope: "col" }, head)),
          ),
        ),
        h("tbody", {}, shown.map(line)),
      ),
    ),
    registry?.length
      ? h(
          "details",
          { "data-keep": "registry" },
          h("summary", {}, `All ${registry.length} versions in the registry`),
          h(
            "ul",
            {},
            registry.map((each) =>
              h("li", {}, `${each.version}: ${each.status}, made ${moment(each.created)}`),
            ),
          ),
        )
      : null,
    ledger.total > shown.length &&
      h("p", { class: "quiet" }, `The last ${shown.length} of ${ledger.total} lines.`),
  );
}

function reasons(each) {
  const [first, ...rest] = each.reasons;
  const head = each.replaces ? `From ${each.replaces}. ${first ?? ""}` : (first ?? "–");
  return rest.length
    ? h(
        "details",
        { "data-keep": `why-${each.number}` },
        h("summary", {}, head),
        h(
          "ul",
          {},
          rest.map((text) => h("li", {}, text)),
        ),
      )
    : head;
}
