// Entry point: selects the view, shows loading and failures, and refreshes the data.
import { arrive, pathNames } from "./address.js";
import { flywheel, pageRoot } from "./api.js";
import { cycle } from "./cycle.js";
import { h } from "./dom.js";
import { ago } from "./format.js";
import { followLinks } from "./links.js";
import { overview } from "./overview.js";
import { oneRun, oneTask } from "./run.js";

/** Time between refreshes of a visible view; shorter while something runs. */
const [REFRESH_MS, LIVE_MS] = [15_000, 4000];

const main = document.getElementById("main");
const drawn = new Map();
let reads = 0;

/** Redraws the sections whose data has changed, except one that has the user's focus. */
function draw(sections, forced) {
  if (!main.querySelector("[data-section]"))
    main.replaceChildren(...Object.keys(sections).map((name) => h("div", { "data-section": name })));
  for (const [name, [data, render]] of Object.entries(sections)) {
    const container = main.querySelector(`[data-section="${name}"]`);
    const content = JSON.stringify(data, (key, value) => (key === "as_of" ? undefined : value));
    if (drawn.get(name) === content || (!forced && holdsFocus(container))) continue;
    replace(container, render);
    drawn.set(name, content);
  }
}

/** Tells whether a redraw would lose the focus, because the focused element has no key. */
const holdsFocus = (container) =>
  container.contains(document.activeElement) && !document.activeElement.dataset.key;

/** Redraws a section; unfolded details stay unfolded, and the focus stays where it was. */
function replace(container, render) {
  const open = [...container.querySelectorAll("details[open][data-keep]")].map((details) => details.dataset.keep);
  const focused = container.contains(document.activeElement) ? (document.activeElement.dataset.key ?? "") : null;
  container.replaceChildren(...[render()].flat().filter(Boolean));
  for (const keep of open) container.querySelector(`details[data-keep="${CSS.escape(keep)}"]`)?.setAttribute("open", "");
  if (focused === null) return;
  const replacement = container.querySelector(`[data-key="${CSS.escape(focused)}"]`);
  if (replacement) return replacement.focus();
  container.tabIndex = -1;
  container.focus({ preventScroll: true });
}

async function view(refresh) {
  const [kind, ...names] = pathNames(location.pathname);
  if (kind === "cycles") return cycle(names[0], refresh);
  if (kind !== "dags") return overview(refresh);
  const [dag, , run, , task] = names;
  const owner = await flywheel(`/dags/${encodeURIComponent(dag)}`);
  if (task) return oneTask(owner, dag, run, task);
  return run ? oneRun(owner, dag, run) : cycle(owner.name, refresh);
}

async function show(forced = false) {
  const read = ++reads;
  try {
    const sections = await view(() => show(true));
    // a newer read has started
    if (read !== reads) return;
    document.getElementById("failure")?.remove();
    draw(sections, forced);
    const isFirst = main.dataset.state !== "ready" && main.dataset.state !== "stale";
    main.dataset.state = "ready";
    if (isFirst) arrive();
  } catch (error) {
    if (read === reads) showFailure(error);
  }
}

/** Shows an error above the stale content, or in its place if there is none. */
function showFailure(error) {
  const retry = h("button", { onclick: () => show(true) }, "Try again");
  const message = [h("p", {}, error.message), h("p", {}, retry)];
  document.getElementById("failure")?.remove();
  if (main.querySelector("[data-section]")) {
    const warning = h("strong", {}, "The content below is out of date.");
    main.prepend(h("div", { id: "failure", class: "trouble", role: "alert" }, warning, message));
    main.dataset.state = "stale";
    return;
  }
  const home = h("p", {}, h("a", { href: `${pageRoot}/` }, "All cycles"));
  main.replaceChildren(h("h1", {}, "Flywheel"), h("div", { id: "failure", class: "empty", role: "alert" }, message), home);
  main.dataset.state = "failed";
}

/** Tells whether the page is visible and no dialog would be disturbed by a refresh. */
const isVisible = () => document.visibilityState === "visible" && !document.querySelector("dialog[open]");

function scheduleRefresh() {
  const refresh = async () => {
    if (isVisible()) await show();
    scheduleRefresh();
  };
  setTimeout(refresh, main.querySelector("[data-live]") ? LIVE_MS : REFRESH_MS);
}

/** Updates the ages on the page. */
function updateAges() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = ago(time.dateTime);
    if (time.textContent !== text) time.textContent = text;
  }
}

followLinks();
addEventListener("hashchange", arrive);
setInterval(updateAges, 5000);
// another zone was chosen in the surrounding page of Airflow
addEventListener("storage", (event) => event.key === "timezone" && location.reload());
await show();
scheduleRefresh();
