// How good the model was over time: the champion as of each window with its interval, beside what it is compared with.
import { h } from "./dom.js";
import { interval, metric, share, utcDate } from "./format.js";

const seconds = (iso) => Date.parse(iso) / 1000;
const WORDS = { frozen: "first model, frozen", linear: "linear baseline", constant: "constant baseline" };
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The rows of the chart and of the table: one for each window. */
export function rows(watch, replay) {
  const compared = new Map((replay?.windows ?? []).map((each) => [each.interval[0], each.models]));
  return watch.windows.map((window) => ({ ...window, models: compared.get(window.window[0]) ?? {} }));
}

/** The chart with its table. */
export function quality(found, promotions, replay, metricName) {
  const place = h("div", { class: "chart", role: "img", "aria-label": described(found, metricName) });
  const used = promotions.filter((each) => !each.is_withdrawn);
  const draw = () => drawn(place, found, used, metricName);
  const size = new ResizeObserver(() => place.isConnected && draw());
  size.observe(place);
  document.addEventListener("flywheel:theme", draw);
  return h("div", {}, place, legend(replay), table(found, metricName));
}

function described(found, name) {
  const judged = found.filter((each) => each.quality);
  if (!judged.length) return `${name} over time: no window has labels yet.`;
  const last = judged.at(-1);
  return `${name} over time, ${judged.length} windows. In the last, ${interval(last.window)}, it is ${metric(last.quality.value)}. The table below has all numbers.`;
}

function drawn(place, found, promotions, name) {
  const width = place.clientWidth;
  if (!width) return;
  const of = (pick) => found.map((each) => pick(each) ?? null);
  const data = [
    found.map((each) => seconds(each.window[0])),
    of((each) => each.quality?.high),
    of((each) => each.quality?.low),
    of((each) => each.quality?.value),
    of((each) => each.quality?.reference?.value ?? null),
    of((each) => (each.quality ? null : each.estimate?.value)),
    ...Object.keys(WORDS).map((model) => of((each) => each.models[model]?.value)),
  ];
  const quiet = css("--quiet");
  const axis = { stroke: quiet, grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") } };
  const line = (label, stroke, more = {}) => ({
    label,
    stroke,
    width: 1.5,
    spanGaps: false,
    points: { size: 6 },
    value: (_, v) => (v === null || v === undefined ? "–" : metric(v)),
    ...more,
  });
  const bound = (label) => ({
    label,
    stroke: "transparent",
    points: { show: false },
    value: (_, v) => (v === null || v === undefined ? "–" : metric(v)),
  });
  const lines = [
    { label: "Window from", value: (_, v) => (v ? utcDate(v * 1000) : "–") },
    bound("95 % high"),
    bound("95 % low"),
    line(name, css("--accent"), { width: 2.5, points: { size: 8, fill: css("--accent") } }),
    line("its own evaluation", quiet, { dash: [2, 4], points: { show: false } }),
    line("estimate", css("--warn"), { dash: [6, 4] }),
    line(WORDS.frozen, css("--bad"), { dash: [8, 3] }),
    line(WORDS.linear, css("--good"), { dash: [3, 3] }),
    line(WORDS.constant, quiet, { dash: [1, 3] }),
  ];
  // what there is nothing of is not in the legend either; the first four make the band
  const kept = lines.map((_, index) => index < 4 || data[index].some((value) => value !== null));
  const options = {
    width,
    scales: { x: { range: [seconds(found[0].window[0]), seconds(found.at(-1).window[1])] } },
    height: Math.max(220, Math.min(360, width / 2.4)),
    tzDate: (at) => globalThis.uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    legend: { show: width > 560 },
    axes: [axis, { ...axis, size: 56 }],
    series: lines.filter((_, index) => kept[index]),
    bands: [{ series: [1, 2], fill: css("--band") }],
    hooks: { draw: [(chart) => marks(chart, promotions)] },
  };
  place.replaceChildren();
  new globalThis.uPlot(
    options,
    data.filter((_, index) => kept[index]),
    place,
  );
}

/** A line where each promotion takes over, with its version. */
function marks(chart, promotions) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = css("--ink");
  ctx.setLineDash([4, 4]);
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  for (const promotion of promotions) {
    const x = chart.valToPos(seconds(promotion.data_end), "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(
      promotion.version?.split("/").at(-1) ?? "",
      x + 3 * devicePixelRatio,
      bbox.top + 12 * devicePixelRatio,
    );
  }
  ctx.restore();
}

const legend = (replay) =>
  h(
    "p",
    { class: "quiet" },
    "The band is the 95 % interval; broken lines upright are promotions, where the version takes over. ",
    replay
      ? "First model and baselines are those of the last replay."
      : "First model and baselines appear after a replay (make replay).",
  );

function table(found, name) {
  const cell = (models, model) => h("td", {}, models[model] ? metric(models[model].value) : "–");
  const line = (each) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, interval(each.window)),
      h("td", {}, each.champion),
      h(
        "td",
        {},
        each.quality
          ? `${metric(each.quality.value)} (${metric(each.quality.low)} – ${metric(each.quality.high)})`
          : "–",
      ),
      h("td", {}, each.quality?.reference ? metric(each.quality.reference.value) : "–"),
      h("td", {}, each.estimate ? metric(each.estimate.value) : "–"),
      h("td", {}, each.quality ? share(each.quality.coverage) : "–"),
      Object.keys(WORDS).map((model) => cell(each.models, model)),
    );
  const heads = [
    "Window",
    "Champion as of",
    `${name} (95 %)`,
    "Own evaluation",
    "Estimate",
    "Labels",
    ...Object.values(WORDS),
  ];
  return h(
    "details",
    { "data-keep": "quality-table" },
    h("summary", {}, "All numbers"),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Quality by window" },
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
        h("tbody", {}, found.toReversed().map(line)),
      ),
    ),
  );
}
