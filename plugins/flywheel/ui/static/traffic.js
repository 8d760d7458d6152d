// What the model was asked, window by window, and of how much of it the truth is known.
import { bars } from "./bars.js";
import { h } from "./dom.js";
import { count, interval, share, utcDate } from "./format.js";
import { openWindow } from "./window.js";

/** Answers by batch and by the endpoint, and the share of events that have their label. */
export function traffic(cycle, watch) {
  const { windows } = watch;
  if (!windows.length) return h("p", { class: "quiet" }, "No window was watched yet.");
  const names = windows.map((each) => interval(each.window));
  const marks = [windows[0], windows.at(-1)].map((each) => utcDate(each.window[0]));
  const shared = { names, marks, head: "Window", open: (index) => openWindow(cycle, windows[index]) };
  return h(
    "div",
    { class: "columns" },
    bars({
      ...shared,
      series: [
        { label: "answers by batch", kind: "baseline", values: windows.map((each) => each.answers?.batch) },
        { label: "by the endpoint, captured", kind: "current", values: windows.map((each) => each.answers?.online) },
      ],
      label: "Answers by window",
      told: count,
      stacked: true,
      keep: "answers",
    }),
    bars({
      ...shared,
      series: [{ label: "share with a label", kind: "labels", values: windows.map((each) => each.quality?.coverage) }],
      label: "Share of events with a label, by window",
      told: share,
      whole: 1,
      keep: "labels",
    }),
  );
}
