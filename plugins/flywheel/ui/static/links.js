// Links into Airflow, which must not open in this frame, and addresses of Airflow's pages.
import { airflowRoot } from "./api.js";
import { h } from "./dom.js";

const quote = encodeURIComponent;
export const dagPage = (dag) => `${airflowRoot}/dags/${quote(dag)}`;
export const runPage = (dag, run) => `${dagPage(dag)}/runs/${quote(run)}`;
export const taskPage = (dag, run, task) => `${runPage(dag, run)}/tasks/${quote(task)}`;

/** A link to a page of Airflow itself. */
export const ui = (href, text, attributes = {}) => h("a", { href, "data-ui": true, ...attributes }, text);
/** A link to the run that wrote something; its name says which, also where its text is a number or just "run". */
export const run = (by, text = by?.run_id) =>
  by?.run_id
    ? ui(runPage(by.dag_id, by.run_id), text, { title: by.run_id, "aria-label": `${text}, run ${by.run_id}` })
    : null;

/** A link out of Airflow, to AWS. */
export const outside = (href, text) =>
  h("a", { href, target: "_blank", rel: "noopener noreferrer", "data-out": true }, text);

/** Airflow's frame lets nothing open a tab; a link of the page around it may. */
function leave(event, link) {
  event.preventDefault();
  const other = window.parent.document.createElement("a");
  Object.assign(other, { href: link.href, target: "_blank", rel: "noopener noreferrer" });
  other.click();
}

/** Airflow's frame forbids its pages to leave it; so its router is told where to go, as a click of its own would. */
export function follow() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-ui], a[data-out]");
    if (!link || window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if ("out" in link.dataset) return leave(event, link);
    event.preventDefault();
    window.parent.history.pushState({}, "", link.getAttribute("href"));
    window.parent.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
  });
}
