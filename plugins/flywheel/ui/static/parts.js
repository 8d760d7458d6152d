// A part of the page: what was read, how old it is, and what went wrong.
import { h } from "./dom.js";
import { ago, exactly, secondsSince } from "./format.js";

/** From this age on a part is called stale, in seconds. */
const STALE_S = 60;

/** What a part shows: its content, below it its age if it is old, and its error if it could not be read. */
export function part(found, render, empty = "Nothing yet.") {
  const children = [];
  if (found.error) {
    const since = found.as_of ? ` What is shown is of ${exactly(found.as_of)}.` : "";
    children.push(h("p", { class: "problem", role: "alert" }, `Cannot be read now: ${found.error}.${since}`));
  }
  if (found.value) children.push(render(found.value));
  else if (!found.error) children.push(h("p", { class: "quiet" }, empty));
  if (found.value && found.as_of && secondsSince(found.as_of) > STALE_S)
    children.push(h("p", { class: "quiet" }, `Read ${ago(found.as_of)}.`));
  return children;
}

/** A section with a heading; its content may come later. */
export function section(title, id, ...children) {
  return h(
    "section",
    { class: "panel", id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    ...children,
  );
}

/** Label and value, in a list of such pairs. */
export const pair = (label, ...value) => [h("dt", {}, label), h("dd", {}, ...value)];

/** A word with a colour and a shape, so that the colour is not all that tells. */
const SIGNS = { good: "●", bad: "▲", warn: "◆", idle: "○" };
export const badge = (kind, text) =>
  h("span", { class: `badge ${kind}` }, h("span", { "aria-hidden": "true" }, SIGNS[kind]), ` ${text}`);
