// How the values of a feature are distributed: bars with the numbers beside them.
import { bars } from "./bars.js";
import { h } from "./dom.js";
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
  const place = h("div", { "aria-live": "polite" });
  const show = (name) => {
    const each = known.find((one) => one.name === name);
    place.replaceChildren(told(drifted.get(name)), chart(each));
  };
  const choice = h(
    "select",
    { id: "feature", onchange: (event) => show(event.target.value) },
    order.map((each) => h("option", { value: each.name }, each.name)),
  );
  choice.value = known.some((each) => each.name === feature) ? feature : order[0].name;
  show(choice.value);
  return h("section", {}, h("h3", {}, h("label", { for: "feature" }, "Distribution of "), choice), place);
}

/** How far the feature has moved, and whether that is drift. */
function told(feature) {
  if (!feature) return h("p", { class: "quiet" }, "This feature was not compared.");
  const { distance, test, p_value: p, importance } = feature;
  const chance = typeof p !== "number" ? "none" : p < 0.001 ? p.toExponential(1) : metric(p);
  return h(
    "p",
    {},
    `Distance ${metric(distance)} (${test}), p-value ${chance}, importance ${share(importance)}. `,
    feature.is_drifted ? badge("bad", "has drifted") : badge("good", "has not drifted"),
  );
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

function chart(found) {
  const names = bins(found);
  return bars({
    names,
    series: [
      { label: "baseline", kind: "baseline", values: found.baseline },
      { label: "this window", kind: "current", values: found.current },
    ],
    label: `${found.name}: baseline and window by bin`,
    told: share,
    marks: [names[0], names.at(-1)],
    head: "Bin",
  });
}
