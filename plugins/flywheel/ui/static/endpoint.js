// The endpoint: its state, its variants, and its requests by minute.
import { bars } from "./bars.js";
import { h } from "./dom.js";
import { count, counted, moment, ms, timeOfDay } from "./format.js";
import { outside } from "./links.js";
import { badge, pair, since } from "./parts.js";
import { table } from "./table.js";

const MINUTE_MS = 60_000;
const HEADS = ["Variant", "Weight", "Instances", "Requests", "per s", "p50", "p99", "4XX", "5XX"];

/**
 * Says which version the endpoint serves, beside the ledger's champion: a version that was promoted without being
 * deployed is the champion and is not served. `differs` is whether it is another one.
 */
export function servedVersions(status, champion) {
  const names = (status?.served ?? []).map((version) => version ?? "a model of no version");
  if (!names.length) return null;
  const differs = names.some((name) => name !== champion);
  if (!champion) return { text: names.join(" and "), differs, note: "there is no champion" };
  return { text: names.join(" and "), differs, note: differs ? `the champion is ${champion}` : "the champion" };
}

/** Shows the served version, as a link where `href` is given, and a badge that tells whether it is the champion. */
export function servedText(status, champion, href) {
  const served = servedVersions(status, champion);
  if (!served) return "–";
  const versions = href ? h("a", { href }, served.text) : served.text;
  return [versions, " ", badge(served.differs ? "warn" : "good", served.note)];
}

/** Builds the section of the endpoint; `asOf` is when it was read, the end of its last hour. */
export function endpoint(status, asOf, champion) {
  const kind = { InService: "good", Failed: "bad" }[status.status] ?? "warn";
  return h(
    "div",
    {},
    h(
      "dl",
      {},
      pair("State", badge(kind, status.status), status.failure ? ` ${status.failure}` : ""),
      pair("Serves", servedText(status, champion)),
      pair("Configuration", status.config ?? "–"),
      pair("Changed", moment(status.changed), " (", since(status.changed), ")"),
      pair("Errors", errorBadge(status)),
      status.console || status.log ? pair("At AWS", atAws(status)) : null,
    ),
    traffic(status, asOf),
    table("Variants in the last hour", HEADS, status.variants.map(variantCells), {
      caption: "Last hour, from CloudWatch",
    }),
  );
}

const atAws = ({ console, log }) => [
  console && outside(console, "Endpoint"),
  " ",
  log && outside(log, "Log"),
];

const sum = ({ variants }, name) => variants.reduce((total, variant) => total + variant[name], 0);

function errorBadge(status) {
  const [client, server] = [sum(status, "errors_4xx"), sum(status, "errors_5xx")];
  if (client + server === 0) return badge("good", "none");
  const text = `${count(client)} by clients (4XX), ${count(server)} by the model (5XX)`;
  return badge(server ? "bad" : "warn", text);
}

const variantCells = (variant) => [
  variant.name,
  String(variant.weight ?? "–"),
  String(variant.instances ?? "–"),
  count(variant.invocations),
  variant.requests_per_s.toFixed(3),
  ms(variant.p50_ms),
  ms(variant.p99_ms),
  count(variant.errors_4xx),
  count(variant.errors_5xx),
];

/** Draws a bar for each minute of the span; minutes without requests, which the data omits, count as 0. */
function traffic(status, asOf) {
  const total = status.requests_by_minute.reduce((before, [, requests]) => before + requests, 0);
  if (!total) return h("p", { class: "quiet" }, "No requests in the last hour.");
  const requestsAt = new Map(status.requests_by_minute.map(([at, requests]) => [Date.parse(at), requests]));
  const end = Math.floor(Date.parse(asOf) / MINUTE_MS) * MINUTE_MS;
  const length = status.span_s / 60;
  const minutes = Array.from({ length }, (_, index) => end - (length - 1 - index) * MINUTE_MS);
  const names = minutes.map((at) => timeOfDay(new Date(at).toISOString()));
  return bars({
    names,
    series: [{ label: "requests by minute", kind: "current", values: minutes.map((at) => requestsAt.get(at) ?? 0) }],
    label: `Requests by minute: ${counted(total, "request")} in the last hour`,
    format: count,
    marks: [names[0], names.at(-1)],
    head: "Minute",
    keep: "minutes",
  });
}
