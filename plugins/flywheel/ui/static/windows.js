// The table of a cycle's windows, and the requests for retraining that monitoring made.
import { h } from "./dom.js";
import { count, interval, share } from "./format.js";
import { run } from "./links.js";
import { badge } from "./parts.js";
import { table } from "./table.js";
import { record, report } from "./viewer.js";
import { openWindow, verdictBadge } from "./window.js";

const HEADS = [
  "Window",
  "Found",
  "Champion",
  "Rows",
  "With labels",
  "Answers by batch",
  "Online, captured",
  "Retraining",
  "More",
];

/** Builds the table, one row for each window. */
export function windows(name, watch, evaluations) {
  if (!watch.windows.length) return h("p", { class: "quiet" }, "No window has been monitored yet.");
  const line = (window) => [
    opener(name, window),
    verdictBadge(window),
    report(name, evaluations.get(window.champion), "report.html", window.champion, "its evaluation") ?? window.champion,
    count(window.rows),
    window.quality ? meter(window.quality.coverage) : "–",
    count(window.answers?.batch),
    count(window.answers?.online),
    decisionCell(name, window.decision),
    links([
      report(name, window.report, "report.html", "report", `report of ${interval(window.window)}`),
      run(window.by, "run"),
    ]),
  ];
  return table("Windows", HEADS, watch.windows.toReversed().map(line), { tall: true });
}

/** Shows whether retraining is due, as a link to the record of the decision. */
function decisionCell(name, decision) {
  if (!decision) return "–";
  const link = record(name, decision.record, decision.due ? "why" : "not due", "record of the decision");
  return decision.due ? [badge("warn", "due"), " ", link, " ", run(decision.by, "run")] : (link ?? "not due");
}

const opener = (name, window) =>
  h(
    "button",
    { class: "link", "data-key": `window-${window.name}`, onclick: () => openWindow(name, window) },
    interval(window.window),
  );

const links = (elements) => elements.filter(Boolean).flatMap((link) => [link, " "]);

const meter = (value) => [
  h("meter", { min: 0, max: 1, value, "aria-label": `Labels: ${share(value)}` }),
  ` ${share(value)}`,
];

/** Lists what monitoring requested; a request's window can be opened if it is among those shown. */
export function requestList(name, requests, watch) {
  if (!requests.length) return h("p", { class: "quiet" }, "Monitoring has not requested retraining yet.");
  const windowsByStart = new Map((watch?.windows ?? []).map((window) => [window.window[0], window]));
  const line = (request) => {
    const window = windowsByStart.get(request.window[0]);
    return h(
      "li",
      {},
      request.is_open ? badge("warn", "open") : badge("idle", "answered"),
      ` ${request.number}: after the window `,
      window ? opener(name, window) : interval(request.window),
      `, to train on ${interval(request.train_interval)}. ${request.reasons.join(" ")} `,
      record(name, request.decision, "decision", `decision of request ${request.number}`),
      " ",
      run(request.by, "run"),
    );
  };
  return h("div", {}, h("h3", {}, "Requests for retraining"), h("ul", {}, requests.slice(0, 10).map(line)));
}
