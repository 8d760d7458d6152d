// Bar charts, grouped or stacked, each with a table of its numbers.
import { h, svg } from "./dom.js";
import { table } from "./table.js";

const [WIDTH, HEIGHT] = [720, 160];

/**
 * Builds a bar chart with its legend and its table.
 *
 * `names` label the bars; `series` are `{label, kind, values}`, where `kind` is the CSS class of the colour.
 * `stacked` stacks the series. `format` formats a value, `marks` are the labels at the left and right edge, `label` is
 * the chart's title, `whole` the value at full height (default: the highest bar). `open(index)` handles a click on a
 * bar. `keep` identifies the table, so that it stays unfolded when the section is redrawn.
 */
export function bars({ names, series, label, format, marks, whole, stacked = false, open, head = "", keep }) {
  const totals = names.map((_, index) =>
    stacked
      ? series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0)
      : Math.max(...series.map(({ values }) => values[index] ?? 0)),
  );
  const highest = Math.max(...totals);
  const top = Math.max(whole ?? highest, 1e-9);
  const chart = svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      class: open ? "bars open" : "bars",
      role: "img",
      "aria-label": `${label}. The table below has the numbers.`,
    },
    svg("line", { class: "ground", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
    names.map((name, index) => column({ name, index, count: names.length, series, top, format, stacked, open })),
  );
  return h(
    "figure",
    { class: "barred" },
    h("figcaption", {}, keys(series)),
    chart,
    h(
      "p",
      { class: "marks quiet", "aria-hidden": "true" },
      [marks[0], `highest: ${format(highest)}`, marks[1]].map((text) => h("span", {}, text)),
    ),
    numbers(label, head, names, series, format, keep),
  );
}

const keys = (series) => series.map(({ kind, label }) => h("span", { class: `key ${kind}` }, `■ ${label} `));

function column({ name, index, count, series, top, format, stacked, open }) {
  const step = WIDTH / count;
  const inner = Math.min(step * 0.84, 90);
  const width = stacked ? inner : inner / series.length;
  let below = 0;
  const rects = series.map(({ kind, values }, position) => {
    const height = ((values[index] ?? 0) / top) * (HEIGHT - 2);
    const x = index * step + (step - inner) / 2 + (stacked ? 0 : position * width);
    const rect = svg("rect", { class: kind, x, y: HEIGHT - height - below, width, height });
    if (stacked) below += height;
    return rect;
  });
  const summary = series.map(({ label, values }) => `${label} ${format(values[index])}`).join(", ");
  return svg(
    "g",
    { onclick: open ? () => open(index) : null },
    svg("title", {}, `${name}: ${summary}`),
    svg("rect", { class: "column", x: index * step, y: 0, width: step, height: HEIGHT }),
    rects,
  );
}

function numbers(label, head, names, series, format, keep) {
  const rows = names.map((name, index) => [name, ...series.map(({ values }) => format(values[index]))]);
  return h(
    "details",
    { "data-keep": keep },
    h("summary", {}, "Numbers"),
    table(`${label}, numbers`, [head, ...series.map(({ label: title }) => title)], rows, { tall: true }),
  );
}
