// Bars beside or upon each other, with a scale, and their numbers as a table: one look for all of the page's bars.
import { h, svg } from "./dom.js";
import { table } from "./table.js";

const [WIDTH, HEIGHT] = [720, 160];

/**
 * A chart of bars with its key and its table.
 *
 * `names` are what the bars stand for, `series` are `{label, kind, values}`, `kind` a class that gives the colour.
 * With `stacked` the series stand upon each other. `told` makes a number readable, `marks` are the names at the chart's
 * left and right, `label` says what it shows, `whole` is its full height if not the highest bar, and `open(index)` is
 * called for a click on a bar. `keep` is a name under which its table stays unfolded.
 */
export function bars({ names, series, label, told, marks, whole, stacked = false, open, head = "", keep }) {
  const totals = names.map((_, index) =>
    stacked
      ? series.reduce((sum, each) => sum + (each.values[index] ?? 0), 0)
      : Math.max(...series.map((each) => each.values[index] ?? 0)),
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
    names.map((name, index) => column({ name, index, count: names.length, series, top, told, stacked, open })),
  );
  return h(
    "figure",
    { class: "barred" },
    h("figcaption", {}, keys(series)),
    chart,
    h(
      "p",
      { class: "marks quiet", "aria-hidden": "true" },
      [marks[0], `highest: ${told(highest)}`, marks[1]].map((text) => h("span", {}, text)),
    ),
    numbers(label, head, names, series, told, keep),
  );
}

const keys = (series) => series.map((each) => h("span", { class: `key ${each.kind}` }, `■ ${each.label} `));

function column({ name, index, count, series, top, told, stacked, open }) {
  const step = WIDTH / count;
  const inner = Math.min(step * 0.84, 90);
  const each = stacked ? inner : inner / series.length;
  let below = 0;
  const rects = series.map(({ kind, values }, place) => {
    const height = ((values[index] ?? 0) / top) * (HEIGHT - 2);
    const x = index * step + (step - inner) / 2 + (stacked ? 0 : place * each);
    const rect = svg("rect", { class: kind, x, y: HEIGHT - height - below, width: each, height });
    if (stacked) below += height;
    return rect;
  });
  const values = series.map(({ label, values }) => `${label} ${told(values[index])}`).join(", ");
  return svg(
    "g",
    { onclick: open ? () => open(index) : null },
    svg("title", {}, `${name}: ${values}`),
    svg("rect", { class: "column", x: index * step, y: 0, width: step, height: HEIGHT }),
    rects,
  );
}

function numbers(label, head, names, series, told, keep) {
  const rows = names.map((name, index) => [name, ...series.map(({ values }) => told(values[index]))]);
  return h(
    "details",
    { "data-keep": keep },
    h("summary", {}, "Numbers"),
    table(`${label}, numbers`, [head, ...series.map((each) => each.label)], rows, { tall: true }),
  );
}
