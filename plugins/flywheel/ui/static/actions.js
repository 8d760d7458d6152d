// The page's actions. All of them call Airflow's REST API as the signed-in user, with that user's rights.
import { airflow } from "./api.js";
import { h, notify } from "./dom.js";
import { utcDate } from "./format.js";
import { runPage, ui } from "./links.js";
import { markdown } from "./markdown.js";
import { dialog, report } from "./viewer.js";

const PERMISSIONS = {
  train: "start a training",
  score: "score a window",
  roll_back: "roll back",
  answer: "answer an approval",
};

/** Builds a cycle's buttons; `done` is called after an action. */
export function actions(cycle, ledger, done) {
  const button = (name, text, open, why = null) =>
    h(
      "button",
      {
        "data-action": name,
        "data-key": name,
        disabled: !cycle.may[name] || Boolean(why),
        title: cycle.may[name] ? why : `Your role may not ${PERMISSIONS[name]}.`,
        onclick: open,
      },
      text,
    );
  const refused = Object.keys(PERMISSIONS).filter((name) => !cycle.may[name]);
  return h(
    "div",
    { class: "actions" },
    button("train", "Train ...", () => start(cycle, "train", done)),
    button("score", "Score a window ...", () => start(cycle, "score", done)),
    button("roll_back", "Roll back ...", () => rollBack(cycle, ledger, done), noRollBackReason(ledger)),
    refused.length
      ? h(
          "p",
          { class: "quiet", "data-refused": true },
          `You have read access: Airflow does not let your role ${refused.map((name) => PERMISSIONS[name]).join(", ")}.`,
        )
      : null,
  );
}

/** Returns why a rollback is impossible; null if it is possible, or if the ledger could not be read. */
const noRollBackReason = (ledger) =>
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
  notify(
    h(
      "span",
      {},
      "Started ",
      ui(runPage(dag, run.dag_run_id), run.dag_run_id),
      paused ? ". The DAG is paused: the run waits until it is unpaused." : ".",
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
    train && field("Ask for approval before promotion", check("approval", false)),
    train && field("Deploy the version if it is promoted", check("deploy", true)),
    field("Run every job again, including completed ones", check("force", false)),
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
  const candidates = (ledger?.promotions ?? [])
    .filter((promotion) => !promotion.is_withdrawn && promotion.number !== ledger.champion)
    .toSorted((a, b) => Date.parse(b.data_end) - Date.parse(a.data_end));
  const options = [
    h("option", { value: "" }, "the last good version before the current one"),
    ...candidates.map((promotion) =>
      h("option", { value: promotion.arn }, `${promotion.version}, data to ${utcDate(promotion.data_end)}`),
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
  const text = candidates.length
    ? "This withdraws the version in production for good and deploys the earlier one."
    : "The ledger has no earlier version to go back to; the run will fail and say so.";
  form(`Roll back ${cycle.name}`, text, fields, "Roll back", (data) =>
    trigger(
      cycle,
      "roll_back",
      { to_version: data.get("to_version") || null, reason: data.get("reason") },
      done,
    ),
  );
}

/** Builds a panel for each pending approval, with its evidence and answers. */
export const approvals = (cycle, pending, ledger, done) =>
  pending.map((approval) => {
    const { dag_id: dag, dag_run_id: run } = approval.task_instance;
    const decision = (ledger?.entries ?? []).find((entry) => entry.by.run_id === run && entry.by.dag_id === dag);
    return h(
      "section",
      { class: "panel waiting", "aria-label": `Waits for approval: ${run}` },
      h("h2", {}, approval.subject),
      markdown(approval.body ?? ""),
      h(
        "p",
        {},
        report(cycle.name, decision?.evaluation, "report.html", "Evaluation", "evaluation of the challenger"),
        " ",
        ui(runPage(dag, run), "Run", { "aria-label": `Run ${run}` }),
      ),
      answers(cycle, approval, done),
      cycle.may.answer ? null : h("p", { class: "quiet" }, "Your role may not answer."),
    );
  });

/** Builds a field for the reason and a button for each answer. */
function answers(cycle, { options, task_instance: task }, done) {
  const reason = h("input", {
    name: "reason",
    autocomplete: "off",
    "aria-label": "Reason",
    placeholder: "Reason (kept in the ledger)",
  });
  const problem = h("p", { class: "problem", role: "alert" });
  const path = `/dags/${task.dag_id}/dagRuns/${encodeURIComponent(task.dag_run_id)}/taskInstances/${task.task_id}/${task.map_index}/hitlDetails`;
  const answer = (option) => async () => {
    for (const button of buttons) button.disabled = true;
    problem.textContent = "";
    try {
      await airflow(path, "PATCH", { chosen_options: [option], params_input: { reason: reason.value || null } });
      notify(`${option}: your answer was taken. The run continues.`);
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
