// Dialogs: reports in a frame that may do nothing, and other things that cover the page for a while.
import { flywheel, pageRoot } from "./api.js";
import { h } from "./dom.js";

/** What of each result can be looked at: `pages` are pairs of a file's name and its title, at `place`. */
export async function pagesOf(cycle, results) {
  const isOutput = (result) => result?.job && result.uri;
  const query = new URLSearchParams(results.filter(isOutput).map(({ uri }) => ["uri", uri]));
  const found = query.size ? await flywheel(`/cycles/${cycle}/outputs?${query}`) : [];
  return results.map((result) => (isOutput(result) ? found.shift() : { place: null, pages: [] }));
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

/** The address of an object of a cycle. */
export const fileUrl = (cycle, path) => `${pageRoot}/cycles/${cycle}/files/${path}`;

/** A frame that shows what a step wrote: without scripts, forms and other windows. */
export const framed = (href, title) =>
  // of the same origin, so that its links know who asks
  h("iframe", { src: href, sandbox: "allow-same-origin", title, class: "report" });

/** A link that opens what a step wrote, by its name at a place. */
export const report = (cycle, place, name, text, title) => place && record(cycle, `${place}/${name}`, text, title);

/** A link that opens an object inside the page, by its path behind the cycle's files. */
export function record(cycle, path, text, title = text) {
  if (!path) return null;
  const href = fileUrl(cycle, path);
  const open = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    dialog(`${cycle}: ${title}`, framed(href, title)).classList.add("wide");
  };
  return h("a", { href, onclick: open, "aria-label": text.toLowerCase() === title.toLowerCase() ? null : `${text}, ${title}` }, text);
}
