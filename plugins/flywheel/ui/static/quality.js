// Quality over time: the champion of each window with its interval, beside the models it is compared with.
import { h, svg } from "./dom.js";
import { interval, metric, share } from "./format.js";
import { chart, fitScale } from "./lines.js";
import { table } from "./table.js";
import { report } from "./viewer.js";
import { openWindow } from "./window.js";

const MODELS = { frozen: "first model, frozen", linear: "linear baseline", constant: "constant baseline" };
/** The chart's lines: name, value in a window, colour and dashes. */
const LINES = [
  { name: "champion", pick: ({ quality: measured }) => measured?.value, colour: "--accent", width: 2.5, dash: [] },
  { name: "its own evaluation", pick: ({ quality: measured }) => measured?.reference?.value, colour: "--quiet", dash: [2, 4] },
  { name: "estimate", pick: (row) => (row.quality ? null : row.estimate?.value), colour: "--warn", dash: [6, 4] },
  { name: MODELS.frozen, pick: ({ models }) => models.frozen?.value, colour: "--bad", dash: [8, 3] },
  { name: MODELS.linear, pick: ({ models }) => models.linear?.value, colour: "--good", dash: [3, 3] },
  { name: MODELS.constant, pick: ({ models }) => models.constant?.value, colour: "--quiet", dash: [1, 3], isFar: true },
];

/** Joins the windows with the models that the last replay compared in them. */
export function chartRows(watch, replay) {
  const compared = new Map((replay?.windows ?? []).map(({ interval: [start], models }) => [start, models]));
  return watch.windows.map((window) => ({ ...window, models: compared.get(window.window[0]) ?? {} }));
}

/** Returns the promotions to mark: those that stand, and withdrawn ones that a window was scored by. */
export function markedPromotions(promotions, rows) {
  const scoring = new Set(rows.map(({ champion }) => champion));
  return promotions.filter(({ is_withdrawn: isWithdrawn, version }) => !isWithdrawn || scoring.has(version));
}

/** Builds the chart with its legend and its table. */
export function quality(cycle, rows, { promotions, replay, evaluations }) {
  const lines = LINES.map((line) => ({ ...line, values: rows.map((row) => line.pick(row) ?? null) }))
    // lines without values are left out, except the champion's
    .filter((line, index) => !index || line.values.some((value) => value !== null));
  const frame = h("div", { class: "chart", role: "img", "aria-label": describe(rows, cycle.metric) });
  const { key, showValues } = legend(cycle, lines, rows, (index, isHidden) => hide(index, isHidden));
  const { hide } = chart(frame, {
    lines,
    windows: rows,
    promotions: markedPromotions(promotions, rows),
    onmove: showValues,
    onopen: (index) => openWindow(cycle.name, rows[index]),
  });
  return h("div", {}, key, frame, note(replay, lines, rows), numbers(cycle, rows, evaluations));
}

function describe(rows, name) {
  const measured = rows.filter((row) => row.quality);
  if (!measured.length) return `${name} over time: no window has labels yet.`;
  const last = measured.at(-1);
  return `${name} over time, ${measured.length} windows. In the last, ${interval(last.window)}, it is ${metric(last.quality.value)}. The table below has all numbers.`;
}

/** Builds a button for each line that hides it, with its value in the window under the pointer, or else the newest. */
function legend(cycle, lines, rows, hide) {
  const values = lines.map(() => h("span", { class: "value" }));
  const when = h("span", {});
  const showValues = (index) => {
    const window = rows[index] ?? rows.at(-1);
    when.textContent = `${cycle.metric}, ${interval(window.window)}`;
    for (const [position, line] of lines.entries()) {
      const value = line.values[rows.indexOf(window)];
      const bounds = position === 0 && window.quality ? ` (${metric(window.quality.low)} – ${metric(window.quality.high)})` : "";
      values[position].textContent = value === null ? "–" : `${metric(value)}${bounds}`;
    }
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
  showValues(rows.length - 1);
  return { key: h("div", { class: "keys" }, h("span", { class: "quiet" }, when), keys), showValues };
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

function note(replay, lines, rows) {
  const outside = fitScale(lines, rows).left.map(({ name, values }) => {
    const measured = values.filter((value) => value !== null);
    return `The ${name} is outside the scale: ${metric(Math.min(...measured))} to ${metric(Math.max(...measured))}.`;
  });
  return h(
    "p",
    { class: "quiet" },
    "The band, or the whisker of an isolated window, is the 95 % interval. Dashed vertical lines mark promotions. Click to open a window. ",
    replay
      ? "The first model and the baselines come from the last replay, by the labels known then; the champion's numbers are by the labels known when monitoring last judged its window, so a replay may give another one for the same window. "
      : "The first model and the baselines appear after a replay (make replay). ",
    outside.join(" "),
  );
}

function numbers(cycle, rows, evaluations) {
  const metrics = [`${cycle.metric} (95 %)`, "Own evaluation", "Estimate", "Labels"];
  const heads = ["Window", "Champion as of", ...metrics, ...Object.values(MODELS)];
  const line = (row) => {
    const measured = row.quality;
    const evaluated = (text) =>
      report(cycle.name, evaluations.get(row.champion), "report.html", text, `evaluation of ${row.champion}`) ?? text;
    const reported = (text) =>
      report(cycle.name, row.report, "report.html", text, `report of ${interval(row.window)}`) ?? text;
    return [
      h("button", { class: "link", onclick: () => openWindow(cycle.name, row) }, interval(row.window)),
      evaluated(row.champion),
      measured ? reported(`${metric(measured.value)} (${metric(measured.low)} – ${metric(measured.high)})`) : "–",
      measured?.reference ? evaluated(metric(measured.reference.value)) : "–",
      row.estimate ? reported(metric(row.estimate.value)) : "–",
      measured ? share(measured.coverage) : "–",
      ...Object.keys(MODELS).map((model) => (row.models[model] ? metric(row.models[model].value) : "–")),
    ];
  };
  return h(
    "details",
    { "data-keep": "quality-table" },
    h("summary", {}, "All numbers"),
    table("Quality by window", heads, rows.toReversed().map(line), { tall: true }),
  );
}
