// Addresses of Airflow's pages, and links to them that open outside this frame.
import { airflowRoot } from "./api.js";
import { h } from "./dom.js";

const quote = encodeURIComponent;
export const dagPage = (dag) => `${airflowRoot}/dags/${quote(dag)}`;
export const runPage = (dag, run) => `${dagPage(dag)}/runs/${quote(run)}`;
export const taskPage = (dag, run, task) => `${runPage(dag, run)}/tasks/${quote(task)}`;

/** Links to a page of Airflow itself. */
export const ui = (href, text, attributes = {}) => h("a", { href, "data-ui": true, ...attributes }, text);
/** Links to the run that wrote a record; the label names the run, even where the text is a number or "run". */
export const run = (by, text = by?.run_id) =>
  by?.run_id
    ? ui(runPage(by.dag_id, by.run_id), text, { title: by.run_id, "aria-label": `${text}, run ${by.run_id}` })
    : null;

/** Links to a page outside of Airflow, at AWS. */
export const outside = (href, text) =>
  h("a", { href, target: "_blank", rel: "noopener noreferrer", "data-out": true }, text);

/** Opens a link in a new tab. Airflow's frame forbids that, so the page around it does. */
function openOutside(event, link) {
  event.preventDefault();
  const anchor = window.parent.document.createElement("a");
  Object.assign(anchor, { href: link.href, target: "_blank", rel: "noopener noreferrer" });
  anchor.click();
}

/** Hands clicks on Airflow's links to Airflow's own router, since its frame forbids navigation. */
export function followLinks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-ui], a[data-out]");
    if (!link || window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if ("out" in link.dataset) return openOutside(event, link);
    event.preventDefault();
    window.parent.history.pushState({}, "", link.getAttribute("href"));
    window.parent.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
  });
}
