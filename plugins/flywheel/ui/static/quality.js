// How good the model was over time: the champion as of each window with its interval, beside what it is compared with.
import { h, svg } from "./dom.js";
import { interval, metric, share } from "./format.js";
import { chart, scaled } from "./lines.js";
import { table } from "./table.js";
import { report } from "./viewer.js";
import { openWindow } from "./window.js";

const WORDS = { frozen: "first model, frozen", linear: "linear baseline", constant: "constant baseline" };
/** The lines: their name, what they show of a window, their colour and their dashes. */
const LINES = [
  { name: "champion", pick: (each) => each.quality?.value, colour: "--accent", width: 2.5, dash: [] },
  { name: "its own evaluation", pick: (each) => each.quality?.reference?.value, colour: "--quiet", dash: [2, 4] },
  { name: "estimate", pick: (each) => (each.quality ? null : each.estimate?.value), colour: "--warn", dash: [6, 4] },
  { name: WORDS.frozen, pick: (each) => each.models.frozen?.value, colour: "--bad", dash: [8, 3] },
  { name: WORDS.linear, pick: (each) => each.models.linear?.value, colour: "--good", dash: [3, 3] },
  { name: WORDS.constant, pick: (each) => each.models.constant?.value, colour: "--quiet", dash: [1, 3], isFar: true },
];

/** The rows of the chart and of the table: one for each window. */
export function rows(watch, replay) {
  const compared = new Map((replay?.windows ?? []).map((each) => [each.interval[0], each.models]));
  return watch.windows.map((window) => ({ ...window, models: compared.get(window.window[0]) ?? {} }));
}

/** The chart with its key and its table. */
export function quality(cycle, found, { promotions, replay, evaluations }) {
  const lines = LINES.map((line) => ({ ...line, values: found.map((each) => line.pick(each) ?? null) }))
    // what there is nothing of is not in the key either; the champion always is
    .filter((line, index) => !index || line.values.some((value) => value !== null));
  const used = promotions.filter((each) => !each.is_withdrawn);
  const place = h("div", { class: "chart", role: "img", "aria-label": described(found, cycle.metric) });
  const { key, tell } = legend(cycle, lines, found, (index, is) => hide(index, is));
  const { hide } = chart(place, {
    lines,
    found,
    promotions: used,
    onmove: tell,
    onopen: (index) => openWindow(cycle.name, found[index]),
  });
  return h("div", {}, key, place, note(replay, lines, found), numbers(cycle, found, evaluations));
}

function described(found, name) {
  const judged = found.filter((each) => each.quality);
  if (!judged.length) return `${name} over time: no window has labels yet.`;
  const last = judged.at(-1);
  return `${name} over time, ${judged.length} windows. In the last, ${interval(last.window)}, it is ${metric(last.quality.value)}. The table below has all numbers.`;
}

/** A button for each line, which hides it, with its value in the window that is pointed at; at first the newest. */
function legend(cycle, lines, found, hide) {
  const values = lines.map(() => h("span", { class: "value" }));
  const when = h("span", {});
  const tell = (index) => {
    const window = found[index] ?? found.at(-1);
    when.textContent = `${cycle.metric}, ${interval(window.window)}`;
    lines.forEach((line, place) => {
      const value = line.values[found.indexOf(window)];
      const bounds = !place && window.quality ? ` (${metric(window.quality.low)} – ${metric(window.quality.high)})` : "";
      values[place].textContent = value === null ? "–" : `${metric(value)}${bounds}`;
    });
  };
  const toggle = (index) => (event) => {
    const button = event.currentTarget;
    const isShown = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!isShown));
    hide(index, isShown);
  };
  const keys = lines.map((line, index) =>
    h(
      "button",
      {
        class: "line-key",
        "aria-pressed": "true",
        title: "Show or hide this line",
        "data-key": line.name,
        onclick: toggle(index),
      },
      swatch(line),
      ` ${line.name} `,
      values[index],
    ),
  );
  tell(found.length - 1);
  return { key: h("div", { class: "keys" }, h("span", { class: "quiet" }, when), keys), tell };
}

const swatch = ({ colour, dash, width = 1.5 }) =>
  svg(
    "svg",
    { viewBox: "0 0 24 8", width: 24, height: 8, "aria-hidden": "true" },
    svg("line", {
      x1: 0,
      x2: 24,
      y1: 4,
      y2: 4,
      class: `stroke${colour}`,
      "stroke-width": width,
      "stroke-dasharray": dash.join(" "),
    }),
  );

function note(replay, lines, found) {
  const left = scaled(lines, found).left.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    return `The ${name} is outside of the scale: ${metric(Math.min(...known))} to ${metric(Math.max(...known))}.`;
  });
  return h(
    "p",
    { class: "quiet" },
    "The band, or the bar of a window that stands alone, is the 95 % interval; upright broken lines are promotions, where the version takes over. A click opens the window. ",
    replay
      ? "First model and baselines are those of the last replay. "
      : "First model and baselines appear after a replay (make replay). ",
    left.join(" "),
  );
}

function numbers(cycle, found, evaluations) {
  const measured = [`${cycle.metric} (95 %)`, "Own evaluation", "Estimate", "Labels"];
  const heads = ["Window", "Champion as of", ...measured, ...Object.values(WORDS)];
  const line = (each) => {
    const judged = each.quality;
    const evaluated = (text) =>
      report(cycle.name, evaluations.get(each.champion), "report.html", text, `evaluation of ${each.champion}`) ?? text;
    const reported = (text) =>
      report(cycle.name, each.report, "report.html", text, `report of ${interval(each.window)}`) ?? text;
    return [
      h("button", { class: "link", onclick: () => openWindow(cycle.name, each) }, interval(each.window)),
      evaluated(each.champion),
      judged ? reported(`${metric(judged.value)} (${metric(judged.low)} – ${metric(judged.high)})`) : "–",
      judged?.reference ? evaluated(metric(judged.reference.value)) : "–",
      each.estimate ? reported(metric(each.estimate.value)) : "–",
      judged ? share(judged.coverage) : "–",
      ...Object.keys(WORDS).map((model) => (each.models[model] ? metric(each.models[model].value) : "–")),
    ];
  };
  return h(
    "details",
    { "data-keep": "quality-table" },
    h("summary", {}, "All numbers"),
    table("Quality by window", heads, found.toReversed().map(line), { tall: true }),
  );
}
