// The page's beginning: which view, what is shown while it loads and when it cannot, and when it is read again.
import { arrive } from "./address.js";
import { flywheel, pageRoot } from "./api.js";
import { cycle } from "./cycle.js";
import { h } from "./dom.js";
import { ago } from "./format.js";
import { follow } from "./links.js";
import { overview } from "./overview.js";
import { oneRun, oneTask } from "./run.js";

/** How often a view that is looked at is read again, in milliseconds; more often while something runs. */
const [AGAIN_MS, LIVE_MS] = [15000, 4000];

const main = document.getElementById("main");
const drawn = new Map();
let turns = 0;

/** Draws the sections whose data has changed; one that somebody works in is left alone until they leave it. */
function draw(sections, forced) {
  if (!main.querySelector("[data-section]"))
    main.replaceChildren(...Object.keys(sections).map((name) => h("div", { "data-section": name })));
  for (const [name, [data, render]] of Object.entries(sections)) {
    const place = main.querySelector(`[data-section="${name}"]`);
    const content = JSON.stringify(data, (key, value) => (key === "as_of" ? undefined : value));
    if (drawn.get(name) === content || (!forced && isWorkedIn(place))) continue;
    replace(place, render);
    drawn.set(name, content);
  }
}

/** Whether the focus is on something there that could not be found again afterwards. */
const isWorkedIn = (place) =>
  place.contains(document.activeElement) && !document.activeElement.dataset.key;

/** Draws a section anew: what was unfolded stays unfolded, and the focus stays where it was. */
function replace(place, render) {
  const open = [...place.querySelectorAll("details[open][data-keep]")].map((each) => each.dataset.keep);
  const focused = place.contains(document.activeElement) ? (document.activeElement.dataset.key ?? "") : null;
  place.replaceChildren(...[render()].flat().filter(Boolean));
  for (const keep of open) place.querySelector(`details[data-keep="${CSS.escape(keep)}"]`)?.setAttribute("open", "");
  if (focused === null) return;
  const again = place.querySelector(`[data-key="${CSS.escape(focused)}"]`);
  if (again) return again.focus();
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
}

async function view(again) {
  const [kind, ...names] = location.pathname
    .slice(pageRoot.length)
    .split("/")
    .slice(1)
    .map(decodeURIComponent);
  if (kind === "cycles") return cycle(names[0], again);
  if (kind !== "dags") return overview(again);
  const [dag, , run, , task] = names;
  const found = await flywheel(`/dags/${encodeURIComponent(dag)}`);
  if (task) return oneTask(found, dag, run, task);
  return run ? oneRun(found, dag, run) : cycle(found.name, again);
}

async function show(forced = false) {
  const turn = ++turns;
  try {
    const sections = await view(() => show(true));
    if (turn !== turns) return; // somebody has asked again meanwhile
    document.getElementById("failure")?.remove();
    draw(sections, forced);
    const isFirst = main.dataset.state !== "ready" && main.dataset.state !== "stale";
    main.dataset.state = "ready";
    if (isFirst) arrive();
  } catch (error) {
    if (turn === turns) failed(error);
  }
}

/** What was shown before stays, under a line that says that it is old; without anything, the page says why. */
function failed(error) {
  const again = h("button", { onclick: () => show(true) }, "Try again");
  const words = [h("p", {}, error.message), h("p", {}, again)];
  document.getElementById("failure")?.remove();
  if (main.querySelector("[data-section]")) {
    const old = h("strong", {}, "What is below is old.");
    main.prepend(h("div", { id: "failure", class: "trouble", role: "alert" }, old, words));
    main.dataset.state = "stale";
    return;
  }
  const home = h("p", {}, h("a", { href: `${pageRoot}/` }, "All cycles"));
  main.replaceChildren(h("h1", {}, "Flywheel"), h("div", { id: "failure", class: "empty", role: "alert" }, words), home);
  main.dataset.state = "failed";
}

/** Whether anybody would see, or be disturbed by, something new. */
const isLookedAt = () => document.visibilityState === "visible" && !document.querySelector("dialog[open]");

function keepOn() {
  const next = async () => {
    if (isLookedAt()) await show();
    keepOn();
  };
  setTimeout(next, main.querySelector("[data-live]") ? LIVE_MS : AGAIN_MS);
}

/** Ages grow while they are looked at. */
function grow() {
  for (const each of document.querySelectorAll("time[data-ago]")) {
    const text = ago(each.dateTime);
    if (each.textContent !== text) each.textContent = text;
  }
}

follow();
addEventListener("hashchange", arrive);
show().then(keepOn);
setInterval(grow, 5000);
// another zone was chosen in Airflow's page around this one
addEventListener("storage", (event) => event.key === "timezone" && location.reload());
