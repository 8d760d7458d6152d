// Drift as a heat map of features by windows; a cell opens the window at that feature.
import { h } from "./dom.js";
import { interval, metric, share, utcDate } from "./format.js";
import { openWindow } from "./window.js";

/** Features shown before the list is expanded. */
const FIRST = 12;
/** Distance at which a cell has its full colour. */
const FULL = 0.5;

/** Builds the heat map. */
export function drift(cycle, watch) {
  const windows = watch.windows;
  const names = featuresByImportance(windows);
  if (!names.length) return h("p", { class: "quiet" }, noDrift(windows));
  const grid = h(
    "tbody",
    {},
    heads(cycle, windows),
    names.map((name, index) => line(cycle, name, windows, index)),
  );
  const showAll =
    names.length > FIRST &&
    h(
      "button",
      { "aria-expanded": "false", onclick: (event) => unfold(grid, event.target) },
      `Show all ${names.length} features`,
    );
  roving(grid);
  return h(
    "div",
    {},
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Drift by feature and window" },
      h("table", { class: "heat", "aria-label": "Drift" }, grid),
    ),
    h(
      "p",
      { class: "quiet" },
      `Each cell shows how far a feature has moved from the champion's baseline (0 to 1). ▲ marks drift: a distance of at least ${watch.rule.minimum_distance} that is not due to chance. Features are ordered by importance. Use the arrow keys to move between cells and Enter to open one.`,
    ),
    showAll,
  );
}

function noDrift(windows) {
  const why = windows.at(-1)?.held_back;
  return why
    ? `The newest window was held back: ${why}. No features were compared.`
    : "No window has been monitored yet.";
}

/** Lists all features, sorted by their importance in the newest window that has them. */
export function featuresByImportance(windows) {
  const importance = new Map();
  for (const window of windows)
    for (const feature of window.features) importance.set(feature.name, feature.importance ?? 0);
  return [...importance].toSorted(([, a], [, b]) => b - a).map(([name]) => name);
}

function heads(cycle, windows) {
  const head = (window) =>
    h(
      "th",
      { scope: "col" },
      h(
        "button",
        {
          class: `plain ${window.is_alarm ? "bad" : ""}`,
          "data-cell": true,
          title: `${interval(window.window)}: ${window.why}`,
          "aria-label": `Window ${interval(window.window)}: ${window.is_alarm ? "alarm, " : ""}${window.why}`,
          onclick: () => openWindow(cycle, window),
        },
        utcDate(window.window[0]).slice(2, 10),
        window.is_alarm ? " ▲" : "",
      ),
    );
  return h("tr", {}, h("th", { scope: "col" }, "Feature"), windows.map(head));
}

function line(cycle, name, windows, index) {
  const cells = windows.map((window) =>
    cell(
      cycle,
      name,
      window,
      window.features.find((feature) => feature.name === name),
    ),
  );
  return h("tr", { hidden: index >= FIRST }, h("th", { scope: "row" }, name), cells);
}

function cell(cycle, name, window, feature) {
  if (!feature)
    return h(
      "td",
      {},
      h(
        "button",
        {
          class: "cell none",
          "data-cell": true,
          "aria-label": `${name}, ${interval(window.window)}: not compared`,
          onclick: () => openWindow(cycle, window, name),
        },
        "·",
      ),
    );
  const level = Math.min(10, Math.round((10 * feature.distance) / FULL));
  const description = `${name}, ${interval(window.window)}: distance ${metric(feature.distance)}${feature.is_drifted ? ", has drifted" : ""}, importance ${share(feature.importance)}`;
  return h(
    "td",
    {},
    h(
      "button",
      {
        class: "cell",
        "data-cell": true,
        "data-level": level,
        "aria-label": description,
        title: description,
        onclick: () => openWindow(cycle, window, name),
      },
      feature.distance.toFixed(2),
      feature.is_drifted ? "▲" : "",
    ),
  );
}

function unfold(grid, button) {
  for (const row of grid.rows) row.hidden = false;
  button.setAttribute("aria-expanded", "true");
  button.remove();
}

/** Makes the grid one tab stop, with the arrow keys to move between its cells. */
function roving(grid) {
  const visibleCells = () =>
    [...grid.rows].filter((row) => !row.hidden).map((row) => Array.from(row.querySelectorAll("[data-cell]")));
  for (const button of grid.querySelectorAll("[data-cell]")) button.tabIndex = -1;
  const last = visibleCells()[0]?.at(-1);
  if (last) last.tabIndex = 0;
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  grid.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step) return;
    const cells = visibleCells();
    const row = cells.findIndex((buttons) => buttons.includes(event.target));
    const next = cells[row + step[0]]?.[cells[row].indexOf(event.target) + step[1]];
    event.preventDefault();
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}
