// What the model was asked, window by window, and of how much of it the truth is known.
import { bars } from "./bars.js";
import { h } from "./dom.js";
import { count, counted, interval, share, utcDate } from "./format.js";
import { badge, since } from "./parts.js";
import { table } from "./table.js";
import { openWindow } from "./window.js";

const CAUGHT = ["Window", "Requests", "Events", "With a label", "Watched"];

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

/** What the endpoint has captured by now, whether or not a window was made of it yet. */
export function caught(cycle, found, watch) {
  if (!found.requests) return h("p", { class: "quiet" }, "The endpoint has captured no request yet.");
  const known = new Map((watch?.windows ?? []).map((each) => [each.name, each]));
  const least = (value, isAll) => (typeof value === "number" && !isAll ? `at least ${count(value)}` : count(value));
  const line = (each) => {
    const window = known.get(each.name);
    const { coverage } = window?.quality ?? {};
    return [
      window
        ? h(
            "button",
            { class: "link", "data-key": `caught-${each.name}`, onclick: () => openWindow(cycle, window) },
            interval(each.window),
          )
        : interval(each.window),
      least(each.requests, found.is_all),
      least(each.events, found.is_all),
      each.is_watched ? share(coverage) : least(each.labelled, found.truth?.is_all ?? true),
      each.is_watched ? badge("good", "watched") : badge("idle", "not yet"),
    ];
  };
  return h(
    "div",
    { "data-captured": found.requests },
    h("h3", {}, "Captured by the endpoint"),
    h(
      "p",
      {},
      `${found.is_all ? "" : "At least "}${counted(found.requests, "request")} in ${counted(found.files, "file")}`,
      found.newest ? [", the newest ", since(found.newest)] : "",
      ". ",
      found.malformed ? badge("warn", `${counted(found.malformed, "record")} not to be read`) : "",
    ),
    table("Captured by window", CAUGHT, found.windows.toReversed().map(line), { tall: true }),
  );
}
