// Draws lines over windows with uPlot: the first with a band around it, and an upright line for each promotion.
import { utcDate } from "./format.js";

const seconds = (iso) => Date.parse(iso) / 1000;
const middle = ({ window: [start, end] }) => (seconds(start) + seconds(end)) / 2;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draws into `place`, anew for each width and theme; `hide(index, is)` hides a line or shows it again. */
export function chart(place, { lines, found, promotions, onmove, onopen }) {
  const hidden = new Set();
  let drawn = null;
  const draw = () => {
    if (!place.clientWidth) return;
    drawn?.destroy();
    drawn = make(place, { lines, found, promotions, onmove, hidden });
  };
  const themed = () =>
    place.isConnected ? draw() : document.removeEventListener("flywheel:theme", themed);
  document.addEventListener("flywheel:theme", themed);
  new ResizeObserver(() => place.isConnected && draw()).observe(place);
  place.addEventListener("click", () => {
    const index = drawn?.cursor.idx;
    if (index !== null && index !== undefined) onopen(index);
  });
  const hide = (index, is) => {
    if (is) hidden.add(index);
    else hidden.delete(index);
    draw();
  };
  return { hide };
}

function make(place, { lines, found, promotions, onmove, hidden }) {
  const shown = lines.filter((_, index) => !hidden.has(index));
  const axis = { stroke: css("--quiet"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") } };
  const bound = { stroke: "transparent", points: { show: false }, show: !hidden.has(0) };
  const options = {
    width: place.clientWidth,
    height: Math.max(220, Math.min(360, place.clientWidth / 2.4)),
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: {
      x: { range: [seconds(found[0].window[0]), seconds(found.at(-1).window[1])] },
      y: { range: () => bounds(shown, hidden.has(0) ? [] : found) },
    },
    axes: [
      { ...axis, space: 90, values: (_, splits) => splits.map((at) => utcDate(at * 1000)) },
      { ...axis, size: 56 },
    ],
    tzDate: (at) => globalThis.uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    series: [{}, bound, bound, ...lines.map((line, index) => series(line, !hidden.has(index)))],
    bands: [{ series: [1, 2], fill: css("--band") }],
    hooks: {
      draw: [(drawn) => marks(drawn, promotions), (drawn) => hidden.has(0) || whiskers(drawn, found)],
      setCursor: [(drawn) => onmove(drawn.cursor.idx)],
    },
  };
  const data = [
    found.map(middle),
    found.map((each) => each.quality?.high ?? null),
    found.map((each) => each.quality?.low ?? null),
    ...lines.map((line) => line.values),
  ];
  place.replaceChildren();
  return new globalThis.uPlot(options, data, place);
}

const series = ({ colour, dash, width = 1.5 }, show) => ({
  show,
  stroke: css(colour),
  width,
  dash,
  spanGaps: false,
  points: { size: width > 2 ? 8 : 6, fill: width > 2 ? css(colour) : css("--panel") },
});

const known = (lines) => lines.flatMap((line) => line.values).filter((value) => value !== null);

/** Lines apart that are so far off that the scale leaves them out, and all values that it has to show. */
export function scaled(shown, found) {
  const band = found.flatMap((each) => (each.quality ? [each.quality.low, each.quality.high] : []));
  const near = [...known(shown.filter((line) => !line.isFar)), ...band].filter(Number.isFinite);
  if (!near.length) return { values: known(shown), left: [] };
  const span = Math.max(...near) - Math.min(...near) || 0.1;
  const isClose = (value) => value > Math.min(...near) - span && value < Math.max(...near) + span;
  const far = shown.filter((line) => line.isFar && !known([line]).every(isClose));
  return { values: [...near, ...known(shown.filter((line) => !far.includes(line)))], left: far };
}

function bounds(shown, found) {
  const { values } = scaled(shown, found);
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const span = high - low || 0.1;
  return [low - span * 0.05, high + span * 0.1];
}

/** The interval of each window that stands alone: a band needs two beside each other. */
function whiskers(drawn, found) {
  const { ctx } = drawn;
  const half = 5 * devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = css("--accent");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  found.forEach((each, index) => {
    if (!each.quality || found[index - 1]?.quality || found[index + 1]?.quality) return;
    const x = drawn.valToPos(middle(each), "x", true);
    const [low, high] = [each.quality.low, each.quality.high].map((value) => drawn.valToPos(value, "y", true));
    ctx.beginPath();
    ctx.moveTo(x, low);
    ctx.lineTo(x, high);
    for (const y of [low, high]) {
      ctx.moveTo(x - half, y);
      ctx.lineTo(x + half, y);
    }
    ctx.stroke();
  });
  ctx.restore();
}

/** A line where each promotion takes over, with its version. */
function marks(drawn, promotions) {
  const { ctx, bbox } = drawn;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = css("--ink");
  ctx.setLineDash([4, 4]);
  ctx.textAlign = "left";
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  for (const promotion of promotions) {
    const x = drawn.valToPos(seconds(promotion.data_end), "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(promotion.version_number ?? "", x + 4 * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
  }
  ctx.restore();
}
