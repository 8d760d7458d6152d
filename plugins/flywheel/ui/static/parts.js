// Parts of the page: their content, its age, and what could not be read.
import { h } from "./dom.js";
import { ago, exactly, secondsSince } from "./format.js";

/** Age in seconds from which a part is marked as old. */
const STALE_S = 60;
/** Advice by the text of an error. */
const ADVICE = [
  [/NoSuchBucket/u, "The bucket does not exist. `make run` creates the local one; on AWS, create it and set FLYWHEEL_BUCKET."],
  [/EndpointConnection|Connect/u, "The service of the connection does not answer. Is it running? Check with `make status`."],
  [/AccessDenied|InvalidAccessKey|Signature|Credentials/u, "The connection's keys are refused. Check the connection in Airflow: Admin, Connections."],
];

/** Shows how long ago a moment was; main.js keeps it up to date. */
export const since = (iso) =>
  iso ? h("time", { datetime: iso, title: exactly(iso), "data-ago": true }, ago(iso)) : "never";

/** Shows a part's content, and its age if it is old. `troubles` shows the reasons, once for all parts. */
export function part(source, render, empty = "Nothing yet.") {
  const isOld = source.value && source.as_of && (source.error || secondsSince(source.as_of) > STALE_S);
  const children = [];
  if (isOld) children.push(h("p", { class: "old" }, badge("warn", "old"), " Read ", since(source.as_of), "."));
  if (source.value) children.push(render(source.value));
  else if (source.error) children.push(h("p", { class: "problem" }, "Cannot be read now."));
  else children.push(h("p", { class: "quiet" }, empty));
  return children;
}

/** Lists what could not be read, each reason once, with advice. Returns null if everything could be read. */
export function troubles(parts) {
  const reasons = new Map();
  for (const reason of parts.map(({ error }) => error).filter(Boolean))
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  if (!reasons.size) return null;
  const shown = parts.some(({ error, value }) => error && value)
    ? "It shows what was read last. "
    : "";
  return h(
    "div",
    { class: "trouble", role: "alert" },
    h("p", {}, h("strong", {}, "Part of this page cannot be read now. "), shown, "It retries every few seconds."),
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

/** Returns the time at which the oldest part was read. */
export const oldest = (parts) =>
  parts
    .map((source) => source.as_of)
    .filter(Boolean)
    .toSorted((a, b) => Date.parse(a) - Date.parse(b))[0];

/** Shows the page's age, with a button that reads it again. */
export const fresh = (parts, refresh) =>
  h(
    "p",
    { class: "fresh quiet" },
    "Read ",
    since(oldest(parts)),
    " ",
    h("button", { class: "link", "data-key": "refresh", onclick: refresh }, "Read again"),
  );

/** Builds a section with a heading. */
export function section(title, id, ...children) {
  return h(
    "section",
    { class: "panel", id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    ...children,
  );
}

/** Builds a label and its value, for a description list. */
export const pair = (label, ...value) => [h("dt", {}, label), h("dd", {}, ...value)];

const SIGNS = { good: "●", bad: "▲", warn: "◆", idle: "○" };
/** Builds a badge; a sign repeats what its colour says. */
export const badge = (kind, text) =>
  h("span", { class: `badge ${kind}` }, h("span", { "aria-hidden": "true" }, SIGNS[kind]), ` ${text}`);
