// The distributions of a window's features, as bar charts.
import { bars } from "./bars.js";
import { h } from "./dom.js";
import { metric, share } from "./format.js";
import { badge } from "./parts.js";

/** Builds the chart of one feature at a time, in the baseline and in the window; `feature` is selected first. */
export function distributions(window, feature) {
  const histograms = window.distributions?.features ?? [];
  if (!histograms.length) return h("p", { class: "quiet" }, "This window has no distributions.");
  const findings = new Map(window.features.map((finding) => [finding.name, finding]));
  const importance = ({ name }) => findings.get(name)?.importance ?? 0;
  const ordered = histograms.toSorted((a, b) => importance(b) - importance(a));
  const panel = h("div", { "aria-live": "polite" });
  const show = (name) => {
    const histogram = histograms.find((candidate) => candidate.name === name);
    panel.replaceChildren(describeDrift(findings.get(name)), chart(histogram));
  };
  const choice = h(
    "select",
    { id: "feature", onchange: (event) => show(event.target.value) },
    ordered.map(({ name }) => h("option", { value: name }, name)),
  );
  choice.value = histograms.some(({ name }) => name === feature) ? feature : ordered[0].name;
  show(choice.value);
  return h("section", {}, h("h3", {}, h("label", { for: "feature" }, "Distribution of "), choice), panel);
}

/** Describes how far a feature has moved, and whether that counts as drift. */
function describeDrift(feature) {
  if (!feature) return h("p", { class: "quiet" }, "This feature was not compared.");
  const { distance, test, p_value: p, importance } = feature;
  const pValue = typeof p === "number" ? formatP(p) : "none";
  return h(
    "p",
    {},
    `Distance ${metric(distance)} (${test}), p-value ${pValue}, importance ${share(importance)}. `,
    feature.is_drifted ? badge("bad", "has drifted") : badge("good", "has not drifted"),
  );
}

const formatP = (p) => (p < 0.001 ? p.toExponential(1) : metric(p));

const text = (value) => (typeof value === "number" ? Number(value.toPrecision(4)).toString() : String(value));

/**
 * Names the bins of a histogram; of numbers, the first and the last bin lie outside the edges, and two equal edges
 * bound a bin of that value alone.
 */
export function binNames({ kind, values, edges, baseline }) {
  if (kind === "text") return baseline.map((_, index) => text(values[index] ?? "others"));
  const inner = edges.slice(1).map((edge, index) => {
    if (edge === edges[index]) return text(edge);
    return `${edges[index - 1] === edges[index] ? "over " : ""}${text(edges[index])} to ${text(edge)}`;
  });
  const names = [`below ${text(edges[0])}`, ...inner, `above ${text(edges.at(-1))}`];
  return names.length === baseline.length
    ? names
    : baseline.map((_, index) => inner[index] ?? `bin ${index + 1}`);
}

/** Returns the bins of a histogram in which a side has values, and of numbers those at both ends. */
export function filledBins(histogram) {
  const { kind, baseline, current } = histogram;
  const isShown = (_, index) =>
    kind === "text" || index === 0 || index === baseline.length - 1 || baseline[index] > 0 || current[index] > 0;
  return {
    names: binNames(histogram).filter(isShown),
    baseline: baseline.filter(isShown),
    current: current.filter(isShown),
  };
}

function chart(histogram) {
  const { names, baseline, current } = filledBins(histogram);
  return bars({
    names,
    series: [
      { label: "baseline", kind: "baseline", values: baseline },
      { label: "this window", kind: "current", values: current },
    ],
    label: `${histogram.name}: baseline and window by bin`,
    format: share,
    marks: [names[0], names.at(-1)],
    head: "Bin",
  });
}
