// Traffic and labels by window, and what the endpoint has captured so far.
import { bars } from "./bars.js";
import { h } from "./dom.js";
import { count, counted, interval, share, utcDate } from "./format.js";
import { badge, since } from "./parts.js";
import { table } from "./table.js";
import { openWindow } from "./window.js";

const CAPTURED_HEADS = ["Window", "Requests", "Events", "With a label", "Monitored"];

/** Builds the charts of answers by batch and endpoint, and of the share of labelled events. */
export function traffic(cycle, watch) {
  const { windows } = watch;
  if (!windows.length) return h("p", { class: "quiet" }, "No window has been monitored yet.");
  const names = windows.map(({ window }) => interval(window));
  const marks = [windows[0], windows.at(-1)].map(({ window: [start] }) => utcDate(start));
  const shared = { names, marks, head: "Window", open: (index) => openWindow(cycle, windows[index]) };
  return h(
    "div",
    { class: "columns" },
    bars({
      ...shared,
      series: [
        { label: "answers by batch", kind: "baseline", values: windows.map(({ answers }) => answers?.batch) },
        { label: "by the endpoint, captured", kind: "current", values: windows.map(({ answers }) => answers?.online) },
      ],
      label: "Answers by window",
      format: count,
      stacked: true,
      keep: "answers",
    }),
    bars({
      ...shared,
      series: [{ label: "share with a label", kind: "labels", values: windows.map(({ quality }) => quality?.coverage) }],
      label: "Share of events with a label, by window",
      format: share,
      whole: 1,
      keep: "labels",
    }),
  );
}

/** Formats a count that is a lower bound unless everything was read. */
export const atLeast = (value, isAll) =>
  typeof value === "number" && !isAll ? `at least ${count(value)}` : count(value);

/** Builds the table of what the endpoint has captured, including windows that are not monitored yet. */
export function capturedTraffic(cycle, capture, watch) {
  if (!capture.requests) return h("p", { class: "quiet" }, "The endpoint has captured no requests yet.");
  const monitored = new Map((watch?.windows ?? []).map((window) => [window.name, window]));
  const line = (captured) => {
    const window = monitored.get(captured.name);
    const { coverage } = window?.quality ?? {};
    return [
      window
        ? h(
            "button",
            { class: "link", "data-key": `captured-${captured.name}`, onclick: () => openWindow(cycle, window) },
            interval(captured.window),
          )
        : interval(captured.window),
      atLeast(captured.requests, capture.is_all),
      atLeast(captured.events, capture.is_all),
      captured.is_monitored ? share(coverage) : atLeast(captured.labelled, capture.truth?.is_all ?? true),
      captured.is_monitored ? badge("good", "monitored") : badge("idle", "not yet"),
    ];
  };
  return h(
    "div",
    { "data-captured": capture.requests },
    h("h3", {}, "Captured by the endpoint"),
    h(
      "p",
      {},
      `${capture.is_all ? "" : "At least "}${counted(capture.requests, "request")} in ${counted(capture.files, "file")}`,
      capture.newest ? [", the newest ", since(capture.newest)] : "",
      ". ",
      capture.malformed ? badge("warn", `${counted(capture.malformed, "record")} unreadable`) : "",
    ),
    table("Captured by window", CAPTURED_HEADS, capture.windows.toReversed().map(line), { tall: true }),
  );
}
