// The tabs that Flywheel adds to Airflow's pages of a run and of a task.
import { airflow, flywheel, pageRoot } from "./api.js";
import { h } from "./dom.js";
import { markdown } from "./markdown.js";
import { pair, part, section, troubles } from "./parts.js";
import { steps } from "./steps.js";
import { versions } from "./versions.js";
import { fileUrl, framed, pagesOf, report } from "./viewer.js";
import { openWindow } from "./window.js";

const quote = encodeURIComponent;

/** Returns the sections of a run: its steps, and what it recorded. */
export async function oneRun(cycle, dag, id) {
  const [run, view] = await Promise.all([
    airflow(`/dags/${quote(dag)}/dagRuns/${quote(id)}`),
    flywheel(`/cycles/${cycle.name}`),
  ]);
  const isLive = ["running", "queued"].includes(run.state);
  const table = await steps(cycle, run);
  const { ledger, watch } = view.parts;
  const isOwn = ({ by }) => by.run_id === id && by.dag_id === dag;
  const ownLedger = {
    ...ledger,
    value: ledger.value && {
      ...ledger.value,
      entries: ledger.value.entries.filter(isOwn),
    },
  };
  const windows = (watch.value?.windows ?? []).filter(isOwn);
  return {
    head: [[], () => top(cycle, `A run of ${cycle.name}`)],
    trouble: [[ledger.error, watch.error], () => troubles([ledger, watch])],
    steps: [
      [run.state, table.textContent],
      () => section("Steps", "steps", h("div", { "data-live": isLive }, table)),
    ],
    wrote: [
      [ownLedger, windows],
      () =>
        section(
          "What it recorded",
          "wrote",
          part(ownLedger, (value) => recorded(cycle, { ...value, total: value.entries.length }, windows)),
        ),
    ],
  };
}

function recorded(cycle, ledger, windows) {
  if (!ledger.entries.length && !windows.length)
    return h(
      "p",
      { class: "quiet" },
      "No decision, promotion or window: the run is still going, or it had nothing to record.",
    );
  return h(
    "div",
    {},
    windows.map((window) =>
      h(
        "p",
        {},
        h("button", { class: "link", onclick: () => openWindow(cycle.name, window) }, `Window ${window.name}`),
        `: ${window.why}. ${window.decision?.says ?? ""}`,
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

/** Returns the sections of a task: the pages that its step wrote, the first of them open. */
export async function oneTask(cycle, dag, run, task) {
  const path = `/dags/${quote(dag)}/dagRuns/${quote(run)}/taskInstances/${quote(task)}/xcomEntries/return_value`;
  const xcom = await airflow(path).catch((error) => (error.status === 404 ? null : Promise.reject(error)));
  const result = typeof xcom?.value === "string" ? JSON.parse(xcom.value) : xcom?.value;
  const [output] = await pagesOf(cycle.name, [result]);
  return {
    head: [[], () => top(cycle, `${task} of ${cycle.name}`)],
    task: [[result], () => section("Output", "task", taskContent(cycle, result, output))],
  };
}

function taskContent(cycle, result, output) {
  if (!result)
    return h(
      "p",
      { class: "quiet" },
      "This task has returned nothing: it is still running, was skipped, or has failed. See its log.",
    );
  if (result.evidence) return h("div", {}, markdown(result.evidence));
  if (result.decision?.against) return decisionFacts(result.decision);
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

const decisionFacts = ({ due, reasons, against, emission }) =>
  h(
    "dl",
    {},
    pair("Retraining", due ? "due" : "not due"),
    pair("Reasons for", reasons.join(" ") || "none"),
    pair("Reasons against", against.join(" ") || "none"),
    pair("Requested", `${emission.is_emitted ? "yes" : "no"}: ${emission.why}`),
  );

/** Lists the result of a step without pages. */
const facts = (result) =>
  h(
    "dl",
    {},
    Object.entries(result)
      .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value))
      .map(([name, value]) => pair(name, String(value))),
  );
