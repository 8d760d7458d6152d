// The windows of a cycle as a table, with their labels and traffic, and the requests that came of them.
import { h } from "./dom.js";
import { count, interval, share } from "./format.js";
import { run } from "./links.js";
import { badge } from "./parts.js";
import { report } from "./viewer.js";
import { openWindow } from "./window.js";

/** One line for each window. */
export function windows(name, watch) {
  if (!watch.windows.length) return h("p", { class: "quiet" }, "No window was watched yet.");
  const line = (each) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h("button", { class: "link", onclick: () => openWindow(name, each) }, interval(each.window)),
      ),
      h(
        "td",
        {},
        each.held_back
          ? badge("warn", "held back")
          : each.is_alarm
            ? badge("bad", "alarm")
            : badge("good", "quiet"),
      ),
      h("td", {}, count(each.rows)),
      h("td", {}, each.quality ? meter(each.quality.coverage) : "–"),
      h("td", {}, count(each.answers?.batch)),
      h("td", {}, count(each.answers?.online)),
      h("td", {}, each.decision?.due ? badge("warn", "due") : "not due"),
      h(
        "td",
        {},
        [
          report(name, each.report, "report.html", "report", `report of ${interval(each.window)}`),
          run(each.by, "run"),
        ]
          .filter(Boolean)
          .flatMap((link) => [link, " "]),
      ),
    );
  const heads = [
    "Window",
    "Found",
    "Rows",
    "With labels",
    "Answers by batch",
    "Online, captured",
    "Retraining",
    "More",
  ];
  return h(
    "div",
    { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Windows" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((text) => h("th", { scope: "col" }, text)),
        ),
      ),
      h("tbody", {}, watch.windows.toReversed().map(line)),
    ),
  );
}

const meter = (value) => [
  h("meter", { min: 0, max: 1, value, "aria-label": `Labels: ${share(value)}` }),
  ` ${share(value)}`,
];

/** What monitoring asked for. */
export function asks(requests) {
  if (!requests.length) return h("p", { class: "quiet" }, "Monitoring has asked for no retraining yet.");
  return h(
    "div",
    {},
    h("h3", {}, "Requests for retraining"),
    h(
      "ul",
      {},
      requests
        .slice(0, 10)
        .map((each) =>
          h(
            "li",
            {},
            each.is_open ? badge("warn", "open") : badge("idle", "answered"),
            ` ${each.number}: after the window ${interval(each.window)}, to train for ${interval(each.train_interval)}. ${each.reasons.join(" ")} `,
            run(each.by, "run"),
          ),
        ),
    ),
  );
}
