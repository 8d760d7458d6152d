// What one run, and one task of it, made: shown as a tab of Airflow's own pages about them.
import { airflow, flywheel, pageRoot } from "./api.js";
import { h } from "./dom.js";
import { markdown } from "./markdown.js";
import { pair, part, section, troubles } from "./parts.js";
import { steps } from "./steps.js";
import { versions } from "./versions.js";
import { fileUrl, framed, pagesOf, report } from "./viewer.js";
import { openWindow } from "./window.js";

const q = encodeURIComponent;

/** A run: its steps, and what it wrote to the records. */
export async function oneRun(cycle, dag, id) {
  const [run, found] = await Promise.all([
    airflow(`/dags/${q(dag)}/dagRuns/${q(id)}`),
    flywheel(`/cycles/${cycle.name}`),
  ]);
  const isLive = ["running", "queued"].includes(run.state);
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
    head: [[], () => top(cycle, `A run of ${cycle.name}`)],
    trouble: [[ledger.error, watch.error], () => troubles([ledger, watch])],
    steps: [
      [run.state, table.textContent],
      () => section("Steps", "steps", h("div", { "data-live": isLive }, table)),
    ],
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

const top = (cycle, title) =>
  h(
    "header",
    { class: "top" },
    h(
      "nav",
      { "aria-label": "Where you are" },
      h("a", { href: `${pageRoot}/` }, "Flywheel"),
      " / ",
      h("a", { href: `${pageRoot}/cycles/${cycle.name}` }, cycle.name),
    ),
    h("h1", {}, title),
  );

/** A task: the pages that its step wrote, the first of them open. */
export async function oneTask(cycle, dag, run, task) {
  const path = `/dags/${q(dag)}/dagRuns/${q(run)}/taskInstances/${q(task)}/xcomEntries/return_value`;
  const found = await airflow(path).catch((error) => (error.status === 404 ? null : Promise.reject(error)));
  const result = typeof found?.value === "string" ? JSON.parse(found.value) : found?.value;
  const [output] = await pagesOf(cycle.name, [result]);
  return {
    head: [[], () => top(cycle, `${task} of ${cycle.name}`)],
    task: [[result], () => section("What it made", "task", shown(cycle, result, output))],
  };
}

function shown(cycle, result, output) {
  if (!result)
    return h(
      "p",
      { class: "quiet" },
      "This task has handed on nothing: it is under way, was skipped, or has failed. Its log tells.",
    );
  if (result.evidence) return h("div", {}, markdown(result.evidence));
  if (result.decision?.against) return decided(result.decision);
  const { place, pages } = output;
  if (!pages.length) return facts(result);
  const [[file, title]] = pages;
  return h(
    "div",
    {},
    h("p", {}, pages.flatMap(([name, text]) => [report(cycle.name, place, name, text), " "])),
    framed(fileUrl(cycle.name, `${place}/${file}`), title),
  );
}

const decided = ({ due, reasons, against, emission }) =>
  h(
    "dl",
    {},
    pair("Retraining", due ? "due" : "not due"),
    pair("For it", reasons.join(" ") || "nothing"),
    pair("Against it", against.join(" ") || "nothing"),
    pair("Asked for", `${emission.is_emitted ? "yes" : "no"}: ${emission.why}`),
  );

/** What a step without a page handed on. */
const facts = (result) =>
  h(
    "dl",
    {},
    Object.entries(result)
      .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
      .map(([name, value]) => pair(name, String(value))),
  );
