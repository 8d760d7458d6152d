// One window in a dialog: what was found and decided, the distributions of its features, its labels and traffic.
import { flywheel } from "./api.js";
import { distributions } from "./distributions.js";
import { h } from "./dom.js";
import { count, interval, metric, share, span, utcDate } from "./format.js";
import { run } from "./links.js";
import { badge, pair, part } from "./parts.js";
import { table } from "./table.js";
import { dialog, record, report } from "./viewer.js";

/** Opens a window; `feature` is the one whose distributions are shown first. */
export async function openWindow(cycle, window, feature) {
  const title = (known) => `${cycle}: window ${known?.window ? interval(known.window) : window.name}`;
  const box = dialog(
    title(window),
    h("p", { class: "quiet", role: "status" }, "Loading ..."),
  );
  box.classList.add("wide");
  try {
    const found = await flywheel(`/cycles/${cycle}/windows/${window.name}`);
    box.querySelector("h2").textContent = title(found.value ?? window);
    box.lastChild.replaceWith(
      h(
        "div",
        { class: "body" },
        part(found, (value) => all(cycle, value, feature)),
      ),
    );
  } catch (error) {
    box.lastChild.replaceWith(h("p", { class: "problem", role: "alert" }, error.message));
  }
}

/** Why a window is what it is. */
export const told = (window) => window.held_back ?? (window.why === "nothing" ? "nothing has moved" : window.why);

/** What monitoring found in a window, in a word. */
export function verdict(window) {
  if (window.held_back) return badge("warn", "held back");
  return window.is_alarm ? badge("bad", "alarm") : badge("good", "quiet");
}

function all(cycle, found, feature) {
  return h(
    "div",
    {},
    summary(cycle, found),
    distributions(found, feature),
    h("div", { class: "columns" }, labels(found.coverage), slices(found.slices), bias(found.bias)),
  );
}

function summary(cycle, found) {
  const judged = found.quality;
  const links = [
    report(cycle, found.report, "report.html", "Report", "report"),
    run(found.by, "Run"),
    report(cycle, found.monitor, "evidence.json", "Evidence", "evidence"),
    report(cycle, found.monitor, "constraint_violations.json", "Violations", "violations"),
    report(cycle, found.collect, "coverage.json", "Labels and traffic", "coverage"),
    record(cycle, found.record, "Record", "what was recorded of the window"),
  ];
  return h(
    "dl",
    {},
    pair("Found", verdict(found), ` ${told(found)}`),
    pair("Champion", `${found.champion}, data to ${utcDate(found.data_end)}`),
    pair("Rows", count(found.rows)),
    pair(
      "Quality",
      judged
        ? `${judged.metric} ${metric(judged.value)} (${metric(judged.low)} – ${metric(judged.high)}) by ${count(judged.judged)} labels, ${share(judged.coverage)} of all events`
        : "no labels yet",
    ),
    pair(
      "Estimate",
      found.estimate
        ? `${found.estimate.metric} ${metric(found.estimate.value)} (${metric(found.estimate.low)} – ${metric(found.estimate.high)}), from scores alone`
        : "none",
    ),
    found.separability?.value
      ? pair(
          "Told from the baseline",
          `area ${metric(found.separability.value)}, limit ${found.separability.limit}`,
        )
      : null,
    found.broken.length
      ? pair(
          "Broken upstream",
          found.broken.map((each) => `${each.feature}: ${each.description ?? each.check}`).join("; "),
        )
      : null,
    found.decision
      ? pair("Decision", found.decision.says, " ", record(cycle, found.decision.record, "Record", "record of the decision"))
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
  const wrong = Object.values(malformed ?? {}).reduce((sum, each) => sum + each.count, 0);
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
      pair("Unusable records", count(wrong)),
    ),
    h(
      "details",
      {},
      h("summary", {}, "Labels by age"),
      table("Labels by age", ["Age", "Share"], coverage.by_age.map((each) => [`within ${span(each.age_s)}`, share(each.share)])),
    ),
  );
}

function slices(found) {
  if (!found?.length) return null;
  const line = (each) => [`${each.column} = ${each.value}`, metric(each.score), count(each.rows)];
  return h(
    "section",
    {},
    h("h3", {}, "Worst slices"),
    table("Worst slices", ["Slice", "Quality", "Rows"], found.slice(0, 8).map(line)),
  );
}

function bias(found) {
  const told = (found ?? []).filter((each) => ["DPL", "DPPL", "DI", "AD"].includes(each.metric));
  if (!told.length) return null;
  const line = (each) => [
    `${each.metric}, ${each.facet.column} ${each.facet.values.join(", ")}`,
    `${metric(each.value)} (${metric(each.low)} – ${metric(each.high)})`,
  ];
  return h(
    "section",
    {},
    h("h3", {}, "Bias"),
    table("Bias", ["Measure", "Value (95 %)"], told.map(line)),
  );
}
