// Dialogs: reports in a frame that may do nothing, and other things that cover the page for a while.
import { pageRoot } from "./api.js";
import { h } from "./dom.js";

const PROFILE = ["profile.html", "Profile"];
/** What people look at of a step's output, by the step; of tables there is a profile. */
const PAGES = {
  fetch: [PROFILE],
  clean: [PROFILE, ["quality.json", "Data quality"]],
  transform: [PROFILE],
  prepare: [PROFILE],
  collect: [PROFILE, ["coverage.json", "Coverage"]],
  evaluate: [["report.html", "Evaluation"], ["model_card.html", "Model card"], PROFILE],
  report: [["report.html", "Report"]],
  monitor: [
    ["evidence.json", "Evidence"],
    ["constraint_violations.json", "Violations"],
  ],
};

/** What of a step's result can be looked at: `pages` are pairs of a file's name and its title, at `place`. */
export function pagesOf(result) {
  if (!result?.job || !result.uri?.startsWith("s3://")) return { place: null, pages: [] };
  const place = result.uri.replace(/\/$/, "").split("/").slice(4, 7).join("/");
  return { place, pages: PAGES[result.step] ?? [] };
}

let dialogs = 0;

/** Opens a dialog; returns it. It is closed by its button, by Escape, and gives the focus back. */
export function dialog(title, ...children) {
  const before = document.activeElement;
  const id = `dialog-${++dialogs}`;
  const close = h("button", { class: "plain", "aria-label": "Close", onclick: () => box.close() }, "×");
  const box = h(
    "dialog",
    { "aria-labelledby": id },
    h("header", {}, h("h2", { id }, title), close),
    ...children,
  );
  box.addEventListener("close", () => {
    box.remove();
    back(before);
  });
  document.body.append(box);
  box.showModal();
  return box;
}

/** The focus to where it was, or, if that was drawn anew, to what stands there now. */
function back(before) {
  const key = before?.dataset?.key;
  const now = before?.isConnected ? before : key && document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  (now || document.getElementById("main")).focus();
}

/** The address of something that a step of a cycle wrote. */
export const fileUrl = (cycle, place, name) => `${pageRoot}/cycles/${cycle}/files/${place}/${name}`;

/** A frame that shows what a step wrote: without scripts, forms and other windows. */
export const framed = (href, title) =>
  // of the same origin, so that its links know who asks
  h("iframe", { src: href, sandbox: "allow-same-origin", title, class: "report" });

/** A link that opens a record, by its path behind the cycle's files. */
export const record = (cycle, path, text, title) =>
  path && report(cycle, path.slice(0, path.lastIndexOf("/")), path.slice(path.lastIndexOf("/") + 1), text, title);

/** A link that opens a report inside the page. */
export function report(cycle, place, name, text, title = text) {
  if (!place) return null;
  const href = fileUrl(cycle, place, name);
  const open = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    dialog(`${cycle}: ${title}`, framed(href, title)).classList.add("wide");
  };
  return h("a", { href, onclick: open, "aria-label": text.toLowerCase() === title.toLowerCase() ? null : `${text}, ${title}` }, text);
}
