// What one run, and one task of it, made: shown as a tab of Airflow's own pages about them.
import { airflow, flywheel, pageRoot } from "./api.js";
import { h } from "./dom.js";
import { markdown } from "./markdown.js";
import { pair, part, section } from "./parts.js";
import { steps } from "./runs.js";
import { versions } from "./versions.js";
import { fileUrl, report } from "./viewer.js";
import { openWindow } from "./window.js";

const q = encodeURIComponent;
/** What people look at of a step's output, by the step. */
const PAGES = {
  evaluate: [
    ["report.html", "Evaluation"],
    ["model_card.html", "Model card"],
    ["profile.html", "Profile"],
  ],
  report: [["report.html", "Report"]],
  monitor: [
    ["evidence.json", "Evidence"],
    ["constraint_violations.json", "Violations"],
  ],
};
const PROFILE = [["profile.html", "Profile"]];

/** A run: its steps, and what it wrote to the records. */
export async function oneRun(cycle, dag, id) {
  const [run, found] = await Promise.all([
    airflow(`/dags/${q(dag)}/dagRuns/${q(id)}`),
    flywheel(`/cycles/${cycle.name}`),
  ]);
  const table = await steps(cycle, run);
  const { ledger, watch } = found.parts;
  const mine = {
    ...ledger,
    value: ledger.value && {
      ...ledger.value,
      entries: ledger.value.entries.filter((each) => each.by.run_id === id && each.by.dag_id === dag),
    },
  };
  const windows = (watch.value?.windows ?? []).filter(
    (each) => each.by.run_id === id && each.by.dag_id === dag,
  );
  return {
    head: [[], () => top(cycle)],
    steps: [[run.state, table.textContent], () => section("Steps", "steps", table)],
    wrote: [
      [mine, windows],
      () =>
        section(
          "What it recorded",
          "wrote",
          part(mine, (value) => wrote(cycle, { ...value, total: value.entries.length }, windows)),
        ),
    ],
  };
}

function wrote(cycle, ledger, windows) {
  if (!ledger.entries.length && !windows.length)
    return h(
      "p",
      { class: "quiet" },
      "No decision, no promotion, and no window: it is under way, or it had nothing to add.",
    );
  return h(
    "div",
    {},
    windows.map((each) =>
      h(
        "p",
        {},
        h("button", { class: "link", onclick: () => openWindow(cycle.name, each) }, `Window ${each.name}`),
        `: ${each.why}. ${each.decision?.says ?? ""}`,
      ),
    ),
    ledger.entries.length ? versions(cycle.name, ledger, null) : null,
  );
}

const top = (cycle) => h("p", {}, "Cycle ", h("a", { href: `${pageRoot}/cycles/${cycle.name}` }, cycle.name));

/** A task: the pages that its step wrote, the first of them open. */
export async function oneTask(cycle, dag, run, task) {
  const found = await airflow(
    `/dags/${q(dag)}/dagRuns/${q(run)}/taskInstances/${q(task)}/xcomEntries/return_value`,
  ).catch((error) => (error.status === 404 ? null : Promise.reject(error)));
  const result = typeof found?.value === "string" ? JSON.parse(found.value) : found?.value;
  const place = result?.uri?.startsWith("s3://")
    ? result.uri.replace(/\/$/, "").split("/").slice(4, 7).join("/")
    : null;
  const pages = result?.job
    ? (PAGES[result.step] ??
      (["fetch", "clean", "transform", "prepare", "collect"].includes(result.step) ? PROFILE : []))
    : [];
  return {
    head: [[], () => top(cycle)],
    task: [[result], () => section(task, "task", shown(cycle, result, place, pages))],
  };
}

function shown(cycle, result, place, pages) {
  if (!result)
    return h(
      "p",
      { class: "quiet" },
      "This task has handed on nothing: it is under way, was skipped, or has failed.",
    );
  if (result.evidence) return h("div", {}, markdown(result.evidence));
  if (result.decision?.against)
    return h(
      "dl",
      {},
      pair("Retraining", result.decision.due ? "due" : "not due"),
      pair("For it", result.decision.reasons.join(" ") || "nothing"),
      pair("Against it", result.decision.against.join(" ") || "nothing"),
      pair(
        "Asked for",
        `${result.decision.emission.is_emitted ? "yes" : "no"}: ${result.decision.emission.why}`,
      ),
    );
  if (!pages.length)
    return h(
      "dl",
      {},
      Object.entries(result)
        .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
        .flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))]),
    );
  const [[file, title]] = pages;
  return h(
    "div",
    {},
    h(
      "p",
      {},
      pages.flatMap(([name, text]) => [report(cycle.name, place, name, text), " "]),
    ),
    h("iframe", {
      src: fileUrl(cycle.name, place, file),
      sandbox: "allow-same-origin",
      title,
      class: "report",
    }),
  );
}
