// The page's beginning: which view, what is shown while it loads and when it cannot, and when it is read again.
import { flywheel, pageRoot } from "./api.js";
import { cycle } from "./cycle.js";
import { h } from "./dom.js";
import { follow } from "./links.js";
import { overview } from "./overview.js";
import { oneRun, oneTask } from "./run.js";

/** How often a view that is looked at is read again, in milliseconds. */
const AGAIN_MS = 15000;

const main = document.getElementById("main");
const drawn = new Map();

/** Draws the sections whose data has changed; one that somebody works in is left alone until they leave it. */
function draw(sections, forced) {
  if (!main.querySelector("[data-section]"))
    main.replaceChildren(...Object.keys(sections).map((name) => h("div", { "data-section": name })));
  for (const [name, [data, render]] of Object.entries(sections)) {
    const place = main.querySelector(`[data-section="${name}"]`);
    const content = JSON.stringify(data, (key, value) => (key === "as_of" ? undefined : value));
    if (drawn.get(name) === content || (!forced && place.contains(document.activeElement))) continue;
    const open = [...place.querySelectorAll("details[open][data-keep]")].map((each) => each.dataset.keep);
    place.replaceChildren(render());
    for (const keep of open) place.querySelector(`details[data-keep="${keep}"]`)?.setAttribute("open", "");
    drawn.set(name, content);
  }
}

async function view(forced) {
  const [kind, ...names] = location.pathname
    .slice(pageRoot.length)
    .split("/")
    .slice(1)
    .map(decodeURIComponent);
  const again = () => show(true);
  if (kind === "cycles") return draw(await cycle(names[0], again), forced);
  if (kind !== "dags") return draw(await overview(), forced);
  const [dag, , run, , task] = names;
  const found = await flywheel(`/dags/${dag}`);
  if (task) return draw(await oneTask(found, dag, run, task), forced);
  return draw(run ? await oneRun(found, dag, run) : await cycle(found.name, again), forced);
}

async function show(forced = false) {
  try {
    await view(forced);
    document.getElementById("trouble")?.remove();
    main.dataset.state = "ready";
  } catch (error) {
    failed(error);
  }
}

/** What was shown before stays, under a line that says that it is old; without anything, the page says why. */
function failed(error) {
  const again = h("button", { onclick: () => show(true) }, "Try again");
  const trouble = h(
    "div",
    { id: "trouble", class: "empty problem", role: "alert" },
    h("p", {}, error.message),
    again,
  );
  document.getElementById("trouble")?.remove();
  if (main.querySelector("[data-section]")) {
    trouble.prepend(h("p", {}, "What is below is old."));
    main.prepend(trouble);
    main.dataset.state = "stale";
  } else {
    main.replaceChildren(h("h1", {}, "Flywheel"), trouble);
    main.dataset.state = "failed";
  }
}

follow();
show();
setInterval(
  () => document.visibilityState === "visible" && !document.querySelector("dialog[open]") && show(),
  AGAIN_MS,
);
