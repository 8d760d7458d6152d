// Dialogs, among them reports in a sandboxed frame.
import { flywheel, pageRoot } from "./api.js";
import { h } from "./dom.js";

const isOutput = (result) => result?.job && result.uri;

/** Reads each result's pages: `pages` are pairs of a file's name and its title, below `place`. */
export async function pagesOf(cycle, results) {
  const query = new URLSearchParams(results.filter(isOutput).map(({ uri }) => ["uri", uri]));
  const outputs = query.size ? await flywheel(`/cycles/${cycle}/outputs?${query}`) : [];
  return results.map((result) => (isOutput(result) ? outputs.shift() : { place: null, pages: [] }));
}

let dialogs = 0;

/** Opens a dialog and returns it. Its button or Escape closes it and restores the focus. */
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
    restoreFocus(before);
  });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Restores the focus, to the element's replacement if its section was redrawn meanwhile. */
function restoreFocus(before) {
  const key = before?.dataset?.key;
  const target = before?.isConnected ? before : key && document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  (target || document.getElementById("main")).focus();
}

/** Returns the address of a cycle's object. */
export const fileUrl = (cycle, path) => `${pageRoot}/cycles/${cycle}/files/${path}`;

/** Builds a frame for a file, without scripts, forms and pop-ups. */
export const framed = (href, title) =>
  // allow-same-origin: its links are requested with the user's session
  h("iframe", { src: href, sandbox: "allow-same-origin", title, class: "report" });

/** Links to a file that a step wrote below `place`; falsy without a place. */
export const report = (cycle, place, name, text, title) => place && record(cycle, `${place}/${name}`, text, title);

/** Links to an object of the cycle, which opens in a dialog; null without a path. */
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
