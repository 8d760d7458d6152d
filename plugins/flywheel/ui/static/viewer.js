// Dialogs: reports in a frame that may do nothing, and other things that cover the page for a while.
import { pageRoot } from "./api.js";
import { h } from "./dom.js";

/** Opens a dialog; returns it. It is closed by its button, by Escape, and gives the focus back. */
export function dialog(title, ...children) {
  const before = document.activeElement;
  const close = h("button", { class: "plain", "aria-label": "Close", onclick: () => box.close() }, "×");
  const box = h("dialog", { "aria-label": title }, h("header", {}, h("h2", {}, title), close), ...children);
  box.addEventListener("close", () => {
    box.remove();
    if (before?.isConnected) before.focus();
  });
  document.body.append(box);
  box.showModal();
  return box;
}

/** The address of something that a step of a cycle wrote. */
export const fileUrl = (cycle, place, name) => `${pageRoot}/cycles/${cycle}/files/${place}/${name}`;

/** A link that opens a report inside the page. */
export function report(cycle, place, name, text, title = text) {
  if (!place) return null;
  const href = fileUrl(cycle, place, name);
  const open = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    // without scripts, forms and other windows; of the same origin, so that its links know who asks
    const frame = h("iframe", { src: href, sandbox: "allow-same-origin", title, class: "report" });
    dialog(`${cycle}: ${title}`, frame).classList.add("wide");
  };
  return h("a", { href, onclick: open }, text);
}
