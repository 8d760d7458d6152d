// The windows of a cycle as a table, with their labels and traffic, and the requests that came of them.
import { h } from "./dom.js";
import { count, interval, share } from "./format.js";
import { run } from "./links.js";
import { badge } from "./parts.js";
import { table } from "./table.js";
import { record, report } from "./viewer.js";
import { openWindow, verdict } from "./window.js";

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

/** One line for each window. */
export function windows(name, watch, evaluations) {
  if (!watch.windows.length) return h("p", { class: "quiet" }, "No window was watched yet.");
  const line = (each) => [
    opener(name, each),
    verdict(each),
    report(name, evaluations.get(each.champion), "report.html", each.champion, "its evaluation") ?? each.champion,
    count(each.rows),
    each.quality ? meter(each.quality.coverage) : "–",
    count(each.answers?.batch),
    count(each.answers?.online),
    decided(name, each.decision),
    links([
      report(name, each.report, "report.html", "report", `report of ${interval(each.window)}`),
      run(each.by, "run"),
    ]),
  ];
  return table("Windows", HEADS, watch.windows.toReversed().map(line), { tall: true });
}

/** Whether retraining is due, as a link to the record of the decision. */
function decided(name, decision) {
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

const links = (all) => all.filter(Boolean).flatMap((link) => [link, " "]);

const meter = (value) => [
  h("meter", { min: 0, max: 1, value, "aria-label": `Labels: ${share(value)}` }),
  ` ${share(value)}`,
];

/** What monitoring asked for; the window that it asked after can be opened if it is among those shown. */
export function asks(name, requests, watch) {
  if (!requests.length) return h("p", { class: "quiet" }, "Monitoring has asked for no retraining yet.");
  const known = new Map((watch?.windows ?? []).map((each) => [each.window[0], each]));
  const line = (each) => {
    const window = known.get(each.window[0]);
    return h(
      "li",
      {},
      each.is_open ? badge("warn", "open") : badge("idle", "answered"),
      ` ${each.number}: after the window `,
      window ? opener(name, window) : interval(each.window),
      `, to train for ${interval(each.train_interval)}. ${each.reasons.join(" ")} `,
      record(name, each.decision, "decision", `decision of request ${each.number}`),
      " ",
      run(each.by, "run"),
    );
  };
  return h("div", {}, h("h3", {}, "Requests for retraining"), h("ul", {}, requests.slice(0, 10).map(line)));
}
