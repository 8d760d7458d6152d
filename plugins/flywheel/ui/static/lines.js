// Line charts over windows, drawn with uPlot: the first line with its interval as a band, promotions as vertical lines.
import { utcDate } from "./format.js";

const seconds = (iso) => Date.parse(iso) / 1000;
const middle = ({ window: [start, end] }) => (seconds(start) + seconds(end)) / 2;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draws a chart into `frame`, redrawn for each width and theme; `hide(index, isHidden)` toggles a line. */
export function chart(frame, { lines, windows, promotions, onmove, onopen }) {
  const hidden = new Set();
  let drawn = null;
  const draw = () => {
    if (!frame.clientWidth) return;
    drawn?.destroy();
    drawn = make(frame, { lines, windows, promotions, onmove, hidden });
  };
  const themed = () =>
    frame.isConnected ? draw() : document.removeEventListener("flywheel:theme", themed);
  document.addEventListener("flywheel:theme", themed);
  new ResizeObserver(() => frame.isConnected && draw()).observe(frame);
  frame.addEventListener("click", () => {
    const index = drawn?.cursor.idx;
    if (index !== null && index !== undefined) onopen(index);
  });
  const hide = (index, isHidden) => {
    if (isHidden) hidden.add(index);
    else hidden.delete(index);
    draw();
  };
  return { hide };
}

function make(frame, { lines, windows, promotions, onmove, hidden }) {
  const shown = lines.filter((_, index) => !hidden.has(index));
  const axis = { stroke: css("--quiet"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") } };
  const bound = { stroke: "transparent", points: { show: false }, show: !hidden.has(0) };
  const options = {
    width: frame.clientWidth,
    height: Math.max(220, Math.min(360, frame.clientWidth / 2.4)),
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: {
      x: { range: [seconds(windows[0].window[0]), seconds(windows.at(-1).window[1])] },
      y: { range: () => scaleBounds(shown, hidden.has(0) ? [] : windows) },
    },
    axes: [
      { ...axis, space: 90, values: (_, splits) => splits.map((at) => utcDate(at * 1000)) },
      { ...axis, size: 56 },
    ],
    tzDate: (at) => globalThis.uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    series: [{}, bound, bound, ...lines.map((line, index) => series(line, !hidden.has(index)))],
    bands: [{ series: [1, 2], fill: css("--band") }],
    hooks: {
      draw: [(plot) => marks(plot, promotions), (plot) => hidden.has(0) || whiskers(plot, windows)],
      setCursor: [(plot) => onmove(plot.cursor.idx)],
    },
  };
  const data = [
    windows.map(middle),
    windows.map((window) => window.quality?.high ?? null),
    windows.map((window) => window.quality?.low ?? null),
    ...lines.map((line) => line.values),
  ];
  frame.replaceChildren();
  return new globalThis.uPlot(options, data, frame);
}

const series = ({ colour, dash, width = 1.5 }, show) => ({
  show,
  stroke: css(colour),
  width,
  dash,
  spanGaps: false,
  points: { size: width > 2 ? 8 : 6, fill: width > 2 ? css(colour) : css("--panel") },
});

const measured = (lines) => lines.flatMap((line) => line.values).filter((value) => value !== null);

/** Splits off the lines too far away to fit the scale (`left`); `values` are those that the scale has to show. */
export function fitScale(shown, windows) {
  const band = windows.flatMap(({ quality }) => (quality ? [quality.low, quality.high] : []));
  const near = [...measured(shown.filter((line) => !line.isFar)), ...band].filter(Number.isFinite);
  if (!near.length) return { values: measured(shown), left: [] };
  const span = Math.max(...near) - Math.min(...near) || 0.1;
  const isClose = (value) => value > Math.min(...near) - span && value < Math.max(...near) + span;
  const far = shown.filter((line) => line.isFar && !measured([line]).every(isClose));
  return { values: [...band.filter(Number.isFinite), ...measured(shown.filter((line) => !far.includes(line)))], left: far };
}

/** Returns the lower and upper end of the scale, with a margin. */
export function scaleBounds(shown, windows) {
  const { values } = fitScale(shown, windows);
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const span = high - low || 0.1;
  return [low - span * 0.05, high + span * 0.1];
}

/** Draws the interval of each isolated window as a whisker, since a band needs two neighbours. */
function whiskers(plot, windows) {
  const { ctx } = plot;
  const half = 5 * devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = css("--accent");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (const [index, window] of windows.entries()) {
    if (!window.quality || windows[index - 1]?.quality || windows[index + 1]?.quality) continue;
    const x = plot.valToPos(middle(window), "x", true);
    const [low, high] = [window.quality.low, window.quality.high].map((value) => plot.valToPos(value, "y", true));
    ctx.beginPath();
    ctx.moveTo(x, low);
    ctx.lineTo(x, high);
    for (const y of [low, high]) {
      ctx.moveTo(x - half, y);
      ctx.lineTo(x + half, y);
    }
    ctx.stroke();
  }
  ctx.restore();
}

/** Draws a vertical line where each promoted version takes over. */
function marks(plot, promotions) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = css("--ink");
  ctx.setLineDash([4, 4]);
  ctx.textAlign = "left";
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  for (const promotion of promotions) {
    const x = plot.valToPos(seconds(promotion.data_end), "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(promotion.version_number ?? "", x + 4 * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
  }
  ctx.restore();
}
