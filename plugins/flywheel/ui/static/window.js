// One window in a dialog: its findings and decision, distributions, labels and traffic.
import { flywheel } from "./api.js";
import { distributions } from "./distributions.js";
import { h } from "./dom.js";
import { count, interval, metric, share, span, utcDate } from "./format.js";
import { run } from "./links.js";
import { badge, pair, part } from "./parts.js";
import { table } from "./table.js";
import { dialog, record, report } from "./viewer.js";

/** Opens a window; the distributions of `feature` are shown first. */
export async function openWindow(cycle, window, feature) {
  const title = (details) => `${cycle}: window ${details.window ? interval(details.window) : window.name}`;
  const box = dialog(title(window), h("p", { class: "quiet", role: "status" }, "Loading ..."));
  box.classList.add("wide");
  try {
    const details = await flywheel(`/cycles/${cycle}/windows/${window.name}`);
    box.querySelector("h2").textContent = title(details.value ?? window);
    box.lastChild.replaceWith(
      h(
        "div",
        { class: "body" },
        part(details, (value) => content(cycle, value, feature)),
      ),
    );
  } catch (error) {
    box.lastChild.replaceWith(h("p", { class: "problem", role: "alert" }, error.message));
  }
}

/** Returns the reason for a window's verdict. */
export const verdictReason = ({ held_back: heldBack, why }) =>
  heldBack ?? (why === "nothing" ? "nothing has moved" : why);

/** Builds the badge of what monitoring found in a window. */
export function verdictBadge(window) {
  if (window.held_back) return badge("warn", "held back");
  return window.is_alarm ? badge("bad", "alarm") : badge("good", "quiet");
}

function content(cycle, window, feature) {
  return h(
    "div",
    {},
    summary(cycle, window),
    distributions(window, feature),
    h("div", { class: "columns" }, labels(window.coverage), slices(window.slices), bias(window.bias)),
  );
}

/** Tells how clients were answered, beside what the model's evaluation promised. */
const answered = (operating) =>
  Object.entries(operating)
    .map(([name, { value, reference, is_worse: isWorse }]) => {
      const promised = `evaluation ${metric(reference.value)}${isWorse ? ", worse than before" : ""}`;
      return `${name.replaceAll("_", " ")} ${metric(value)} (${promised})`;
    })
    .join("; ");

function summary(cycle, window) {
  const { quality, estimate } = window;
  const links = [
    report(cycle, window.report, "report.html", "Report", "report"),
    run(window.by, "Run"),
    report(cycle, window.monitor, "evidence.json", "Evidence", "evidence"),
    report(cycle, window.monitor, "constraint_violations.json", "Violations", "violations"),
    report(cycle, window.collect, "coverage.json", "Labels and traffic", "coverage"),
    record(cycle, window.record, "Record", "what was recorded of the window"),
  ];
  return h(
    "dl",
    {},
    pair("Found", verdictBadge(window), ` ${verdictReason(window)}`),
    pair("Champion", `${window.champion}, data to ${utcDate(window.data_end)}`),
    pair("Rows", count(window.rows)),
    pair(
      "Quality",
      quality
        ? `${quality.metric} ${metric(quality.value)} (${metric(quality.low)} – ${metric(quality.high)}) by ${count(quality.judged)} labels known at ${utcDate(quality.cutoff)} UTC, ${share(quality.coverage)} of all events`
        : "no labels yet",
    ),
    quality?.operating ? pair("Answers", answered(quality.operating)) : null,
    pair(
      "Estimate",
      estimate
        ? `${estimate.metric} ${metric(estimate.value)} (${metric(estimate.low)} – ${metric(estimate.high)}), from scores alone`
        : "none",
    ),
    window.separability?.value
      ? pair(
          "Separability from the baseline",
          `AUC ${metric(window.separability.value)}, limit ${window.separability.limit}`,
        )
      : null,
    window.broken.length
      ? pair(
          "Broken upstream",
          window.broken.map(({ feature, description, check }) => `${feature}: ${description ?? check}`).join("; "),
        )
      : null,
    window.decision
      ? pair("Decision", window.decision.says, " ", record(cycle, window.decision.record, "Record", "record of the decision"))
      : null,
    pair(
      "More",
      links.filter(Boolean).flatMap((link) => [link, " "]),
    ),
  );
}

function labels(coverage) {
  if (!coverage)
    return h("section", {}, h("h3", {}, "Labels and traffic"), h("p", { class: "quiet" }, "Nothing was collected."));
  const { answers, malformed } = coverage;
  const unusable = Object.values(malformed ?? {}).reduce((total, rejected) => total + rejected.count, 0);
  return h(
    "section",
    {},
    h("h3", {}, "Labels and traffic"),
    h(
      "dl",
      {},
      pair("Events", count(coverage.events)),
      pair("With a label", `${count(coverage.labelled)}, of which ${count(coverage.late)} came late`),
      pair("Corrected", count(coverage.corrected)),
      pair(
        "Answers",
        `${count(answers.batch)} by batch, ${count(answers.online)} online, ${count(answers.repeated)} repeated`,
      ),
      pair("Unusable records", count(unusable)),
    ),
    h(
      "details",
      {},
      h("summary", {}, "Labels by age"),
      table("Labels by age", ["Age", "Share"], coverage.by_age.map((bin) => [`within ${span(bin.age_s)}`, share(bin.share)])),
    ),
  );
}

const sliceCells = ({ column, value, score, rows }) => [`${column} = ${value}`, metric(score), count(rows)];

function slices(worst) {
  if (!worst?.length) return null;
  return h(
    "section",
    {},
    h("h3", {}, "Worst slices"),
    table("Worst slices", ["Slice", "Quality", "Rows"], worst.slice(0, 8).map(sliceCells)),
  );
}

const biasCells = ({ metric: name, facet, value, low, high }) => [
  `${name}, ${facet.column} ${facet.values.join(", ")}`,
  `${metric(value)} (${metric(low)} – ${metric(high)})`,
];

function bias(measures) {
  const shown = (measures ?? []).filter((measure) => ["DPL", "DPPL", "DI", "AD"].includes(measure.metric));
  if (!shown.length) return null;
  return h(
    "section",
    {},
    h("h3", {}, "Bias"),
    table("Bias", ["Measure", "Value (95 %)"], shown.map(biasCells)),
  );
}
