// What the page can do: everything by Airflow's own REST API, in the name of whoever is signed in, with their rights.
import { airflow } from "./api.js";
import { h, say } from "./dom.js";
import { utcDate } from "./format.js";
import { runPage, ui } from "./links.js";
import { markdown } from "./markdown.js";
import { dialog, report } from "./viewer.js";

const WHAT = {
  train: "start a training",
  score: "score a window",
  roll_back: "roll back",
  answer: "answer an approval",
};

/** The buttons of a cycle; `done` is called when one has done something. */
export function actions(cycle, ledger, done) {
  const button = (name, text, open, why = null) =>
    h(
      "button",
      {
        "data-action": name,
        "data-key": name,
        disabled: !cycle.may[name] || Boolean(why),
        title: cycle.may[name] ? why : `Your role may not ${WHAT[name]}.`,
        onclick: open,
      },
      text,
    );
  const refused = Object.keys(WHAT).filter((name) => !cycle.may[name]);
  return h(
    "div",
    { class: "actions" },
    button("train", "Train ...", () => start(cycle, "train", done)),
    button("score", "Score a window ...", () => start(cycle, "score", done)),
    button("roll_back", "Roll back ...", () => rollBack(cycle, ledger, done), nothingBefore(ledger)),
    refused.length
      ? h(
          "p",
          { class: "quiet", "data-refused": true },
          `You may look, but Airflow does not let your role ${refused.map((name) => WHAT[name]).join(", ")}.`,
        )
      : null,
  );
}

/** Why there is nothing to go back to; null if there is, or if the ledger is not known. */
const nothingBefore = (ledger) =>
  ledger && !ledger.champion ? "Nothing is in production, so there is nothing to go back from." : null;

const field = (label, input, hint) =>
  h(
    "label",
    { class: input.type === "checkbox" ? "check" : null },
    h("span", {}, label),
    input,
    hint ? h("small", {}, hint) : null,
  );
const check = (name, checked) => h("input", { type: "checkbox", name, checked });

function form(title, text, fields, submit, send) {
  const problem = h("p", { class: "problem", role: "alert" });
  const inner = h(
    "form",
    { method: "dialog", class: "body" },
    text ? h("p", {}, text) : null,
    fields,
    problem,
    h("button", { class: "main", type: "submit" }, submit),
  );
  const box = dialog(title, inner);
  inner.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = inner.querySelector(".main");
    button.disabled = true;
    problem.textContent = "";
    try {
      await send(new FormData(inner));
      box.close();
    } catch (error) {
      problem.textContent = error.message;
      button.disabled = false;
    }
  });
}

async function trigger(cycle, name, conf, done) {
  const dag = cycle.dags[name];
  const run = await airflow(`/dags/${dag}/dagRuns`, "POST", { logical_date: null, conf });
  const { is_paused: paused } = await airflow(`/dags/${dag}`).catch(() => ({}));
  say(
    h(
      "span",
      {},
      "Started ",
      ui(runPage(dag, run.dag_run_id), run.dag_run_id),
      paused ? ". The DAG is paused: the run waits until somebody lets it go on." : ".",
    ),
  );
  done(run);
}

function start(cycle, name, done) {
  const train = name === "train";
  const fields = [
    field(
      "Start of the interval",
      h("input", { type: "date", name: "interval_start" }),
      "First day of an interval of the schedule. Empty: the newest complete one.",
    ),
    train && field("Ask for approval before a promotion", check("approval", false)),
    train && field("Bring the version into service if it is promoted", check("deploy", true)),
    field("Run every job again, also those that completed before", check("force", false)),
  ];
  form(
    train ? `Train ${cycle.name}` : `Score a window of ${cycle.name}`,
    null,
    fields,
    train ? "Train" : "Score",
    (data) => {
      const conf = { interval_start: data.get("interval_start") || null, force: data.has("force") };
      return trigger(
        cycle,
        name,
        train ? { ...conf, approval: data.has("approval"), deploy: data.has("deploy") } : conf,
        done,
      );
    },
  );
}

function rollBack(cycle, ledger, done) {
  const standing = (ledger?.promotions ?? []).filter(
    (each) => !each.is_withdrawn && each.number !== ledger.champion,
  );
  const before = standing.sort((one, other) => Date.parse(other.data_end) - Date.parse(one.data_end));
  const options = [
    h("option", { value: "" }, "the last good one before the current"),
    ...before.map((each) =>
      h("option", { value: each.arn }, `${each.version}, data to ${utcDate(each.data_end)}`),
    ),
  ];
  const fields = [
    field("To version", h("select", { name: "to_version" }, options)),
    field(
      "Reason",
      h("input", { name: "reason", required: true, minlength: 3, autocomplete: "off" }),
      "Kept in the ledger and in the registry.",
    ),
  ];
  const text = before.length
    ? "The version in production is withdrawn for good, and the earlier one is deployed."
    : "There is no earlier version in the ledger that production could go back to; the run will say so.";
  form(`Roll back ${cycle.name}`, text, fields, "Roll back", (data) =>
    trigger(
      cycle,
      "roll_back",
      { to_version: data.get("to_version") || null, reason: data.get("reason") },
      done,
    ),
  );
}

/** What waits for a person, with the evidence and both answers. */
export const approvals = (cycle, found, ledger, done) =>
  found.map((each) => {
    const { dag_id: dag, dag_run_id: run } = each.task_instance;
    const decision = (ledger?.entries ?? []).find((entry) => entry.by.run_id === run && entry.by.dag_id === dag);
    return h(
      "section",
      { class: "panel waiting", "aria-label": `Waits for approval: ${run}` },
      h("h2", {}, each.subject),
      markdown(each.body ?? ""),
      h(
        "p",
        {},
        report(cycle.name, decision?.evaluation, "report.html", "Evaluation", `evaluation of the challenger`),
        " ",
        ui(runPage(dag, run), "Run", { "aria-label": `Run ${run}` }),
      ),
      answers(cycle, each, done),
      cycle.may.answer ? null : h("p", { class: "quiet" }, "Your role may not answer."),
    );
  });

/** A reason and a button for each answer. */
function answers(cycle, { options, task_instance: of }, done) {
  const reason = h("input", {
    name: "reason",
    autocomplete: "off",
    "aria-label": "Reason",
    placeholder: "Reason (kept in the ledger)",
  });
  const problem = h("p", { class: "problem", role: "alert" });
  const path = `/dags/${of.dag_id}/dagRuns/${encodeURIComponent(of.dag_run_id)}/taskInstances/${of.task_id}/${of.map_index}/hitlDetails`;
  const answer = (option) => async () => {
    for (const button of buttons) button.disabled = true;
    problem.textContent = "";
    try {
      await airflow(path, "PATCH", { chosen_options: [option], params_input: { reason: reason.value || null } });
      say(`${option}: your answer was taken. The run goes on.`);
      done();
    } catch (error) {
      problem.textContent = error.message;
      for (const button of buttons) button.disabled = false;
    }
  };
  const buttons = options.map((option) =>
    h(
      "button",
      {
        "data-answer": option,
        disabled: !cycle.may.answer,
        class: option === "Approve" ? "main" : null,
        onclick: answer(option),
      },
      option,
    ),
  );
  return h("div", {}, h("div", { class: "answers" }, reason, buttons), problem);
}
