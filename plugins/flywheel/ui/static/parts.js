// A part of the page: what was read, how old it is, and what went wrong.
import { h } from "./dom.js";
import { ago, exactly, secondsSince } from "./format.js";

/** From this age on a part is called old, in seconds. */
const STALE_S = 60;
/** What to do about an error, by what it says. */
const ADVICE = [
  [/NoSuchBucket/, "The bucket is not there. `make run` makes the local one; on AWS create it, and name it in FLYWHEEL_BUCKET."],
  [/EndpointConnection|Connect/, "The service of the connection does not answer. Is it running? `make status` tells."],
  [/AccessDenied|InvalidAccessKey|Signature|Credentials/, "The connection's keys are refused. Look at it in Airflow: Admin, Connections."],
];

/** How long ago something was; main.js keeps it true while it is looked at. */
export const since = (iso) =>
  iso ? h("time", { datetime: iso, title: exactly(iso), "data-ago": true }, ago(iso)) : "never";

/** What a part shows: its content, and its age where it is old. Why it is old `troubles` tells, once for all parts. */
export function part(found, render, empty = "Nothing yet.") {
  const isOld = found.value && found.as_of && (found.error || secondsSince(found.as_of) > STALE_S);
  const children = [];
  if (isOld) children.push(h("p", { class: "old" }, badge("warn", "old"), " Read ", since(found.as_of), "."));
  if (found.value) children.push(render(found.value));
  else if (found.error) children.push(h("p", { class: "problem" }, "Cannot be read now."));
  else children.push(h("p", { class: "quiet" }, empty));
  return children;
}

/** What could not be read and why, each reason once, with what can be done. Null if all could be. */
export function troubles(parts) {
  const reasons = new Map();
  for (const { error } of parts.filter((each) => each.error)) reasons.set(error, (reasons.get(error) ?? 0) + 1);
  if (!reasons.size) return null;
  const shown = parts.some((each) => each.error && each.value)
    ? "What is shown of it is the last that could be read. "
    : "";
  return h(
    "div",
    { class: "trouble", role: "alert" },
    h("p", {}, h("strong", {}, "Not all of this page can be read now. "), shown, "It is tried again every few seconds."),
    [...reasons].map(([error, times]) =>
      h(
        "p",
        {},
        ADVICE.find(([known]) => known.test(error))?.[1],
        " ",
        h("span", { class: "quiet" }, `${error}${times > 1 ? ` (${times} parts)` : ""}`),
      ),
    ),
  );
}

/** The oldest moment of which anything is shown. */
export const oldest = (parts) =>
  parts
    .map((each) => each.as_of)
    .filter(Boolean)
    .sort((one, other) => Date.parse(one) - Date.parse(other))[0];

/** Of when the page is, and a button that reads it again. */
export const fresh = (parts, again) =>
  h(
    "p",
    { class: "fresh quiet" },
    "Read ",
    since(oldest(parts)),
    " ",
    h("button", { class: "link", "data-key": "refresh", onclick: again }, "Read again"),
  );

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
