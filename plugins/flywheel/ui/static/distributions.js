// How the values of a feature are distributed: bars with the numbers beside them.
import { h, svg } from "./dom.js";
import { metric, share } from "./format.js";
import { badge } from "./parts.js";

/** The distributions of one feature at a time, in the baseline and in the window. */
export function distributions(found, feature) {
  const known = found.distributions?.features ?? [];
  if (!known.length) return h("p", { class: "quiet" }, "There are no distributions of this window.");
  const drifted = new Map(found.features.map((each) => [each.name, each]));
  const order = [...known].sort(
    (one, other) => (drifted.get(other.name)?.importance ?? 0) - (drifted.get(one.name)?.importance ?? 0),
  );
  const place = h("div", {});
  const show = (name) =>
    place.replaceChildren(
      bars(
        known.find((each) => each.name === name),
        drifted.get(name),
      ),
    );
  const choice = h(
    "select",
    { id: "feature", onchange: (event) => show(event.target.value) },
    order.map((each) => h("option", { value: each.name }, each.name)),
  );
  choice.value = known.some((each) => each.name === feature) ? feature : order[0].name;
  show(choice.value);
  return h("section", {}, h("h3", {}, h("label", { for: "feature" }, "Distribution of "), choice), place);
}

const text = (value) => (typeof value === "number" ? Number(value.toPrecision(4)).toString() : String(value));

/** What each bar stands for; the first and the last of numbers are all below and above the edges. */
function bins({ kind, values, edges, baseline }) {
  if (kind === "text") return baseline.map((_, index) => text(values[index] ?? "others"));
  const inner = edges.slice(1).map((edge, index) => `${text(edges[index])} to ${text(edge)}`);
  const names = [`below ${text(edges[0])}`, ...inner, `above ${text(edges.at(-1))}`];
  return names.length === baseline.length
    ? names
    : baseline.map((_, index) => inner[index] ?? `bin ${index + 1}`);
}

function bars(found, feature) {
  const names = bins(found);
  const top = Math.max(...found.baseline, ...found.current, 1e-9);
  const [width, height, foot] = [720, 180, 4];
  const step = width / names.length;
  const bar = (value, index, offset, kind) =>
    svg(
      "rect",
      {
        class: kind,
        x: index * step + step * offset,
        y: height - (value / top) * height,
        width: Math.max(step * 0.38, 1),
        height: (value / top) * height,
      },
      svg("title", {}, `${names[index]}: ${share(value)} (${kind})`),
    );
  const chart = svg(
    "svg",
    {
      viewBox: `0 -4 ${width} ${height + foot + 4}`,
      class: "bars",
      role: "img",
      "aria-label": `${found.name}: baseline and window by bin; the table below has the numbers`,
    },
    found.baseline.map((value, index) => bar(value, index, 0.1, "baseline")),
    found.current.map((value, index) => bar(value, index, 0.52, "current")),
  );
  const told = feature
    ? `Distance ${metric(feature.distance)} (${feature.test}), p-value ${feature.p_value < 0.001 ? feature.p_value.toExponential(1) : metric(feature.p_value)}, importance ${share(feature.importance)}. `
    : "";
  const line = (name, index) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", {}, share(found.baseline[index])),
      h("td", {}, share(found.current[index])),
    );
  return h(
    "figure",
    {},
    chart,
    h(
      "figcaption",
      {},
      h("span", { class: "key baseline" }, "■ baseline "),
      h("span", { class: "key current" }, "■ this window "),
      told,
      feature?.is_drifted ? badge("bad", "has drifted") : "",
    ),
    h(
      "details",
      {},
      h("summary", {}, "Shares"),
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Bin", "Baseline", "Window"].map((head) => h("th", { scope: "col" }, head)),
          ),
        ),
        h("tbody", {}, names.map(line)),
      ),
    ),
  );
}
