// How the endpoint does: its state, its variants, and its requests minute by minute.
import { bars } from "./bars.js";
import { h } from "./dom.js";
import { count, counted, moment, ms, timeOfDay } from "./format.js";
import { outside } from "./links.js";
import { badge, pair, since } from "./parts.js";
import { table } from "./table.js";

const MINUTE_MS = 60000;
const HEADS = ["Variant", "Weight", "Instances", "Requests", "per s", "p50", "p99", "4XX", "5XX"];

/** The endpoint; `asOf` is when it was read, the end of its last hour. */
export function endpoint(found, asOf) {
  const kind = { InService: "good", Failed: "bad" }[found.status] ?? "warn";
  return h(
    "div",
    {},
    h(
      "dl",
      {},
      pair("State", badge(kind, found.status), found.failure ? ` ${found.failure}` : ""),
      pair("Serves", found.config ?? "–"),
      pair("Changed", moment(found.changed), " (", since(found.changed), ")"),
      pair("Errors", errors(found)),
      found.console || found.log ? pair("At AWS", atAws(found)) : null,
    ),
    traffic(found, asOf),
    table("Variants in the last hour", HEADS, found.variants.map(variant), {
      caption: "The last hour, by CloudWatch",
    }),
  );
}

const atAws = ({ console, log }) => [
  console && outside(console, "Endpoint"),
  " ",
  log && outside(log, "Log"),
];

const sum = (found, name) => found.variants.reduce((total, each) => total + each[name], 0);

function errors(found) {
  const [client, server] = [sum(found, "errors_4xx"), sum(found, "errors_5xx")];
  const kind = server ? "bad" : client ? "warn" : "good";
  const text = client + server ? `${count(client)} by clients (4XX), ${count(server)} by the model (5XX)` : "none";
  return badge(kind, text);
}

const variant = (each) => [
  each.name,
  String(each.weight ?? "–"),
  String(each.instances ?? "–"),
  count(each.invocations),
  each.requests_per_s.toFixed(3),
  ms(each.p50_ms),
  ms(each.p99_ms),
  count(each.errors_4xx),
  count(each.errors_5xx),
];

/** A bar for each minute of the span, also for those without a request, which the answer leaves out. */
function traffic(found, asOf) {
  const total = found.requests_by_minute.reduce((all, [, requests]) => all + requests, 0);
  if (!total) return h("p", { class: "quiet" }, "No requests in the last hour.");
  const known = new Map(found.requests_by_minute.map(([at, requests]) => [Date.parse(at), requests]));
  const end = Math.floor(Date.parse(asOf) / MINUTE_MS) * MINUTE_MS;
  const length = found.span_s / 60;
  const minutes = Array.from({ length }, (_, index) => end - (length - 1 - index) * MINUTE_MS);
  const names = minutes.map((at) => timeOfDay(new Date(at).toISOString()));
  return bars({
    names,
    series: [{ label: "requests by minute", kind: "current", values: minutes.map((at) => known.get(at) ?? 0) }],
    label: `Requests by minute: ${counted(total, "request")} in the last hour`,
    told: count,
    marks: [names[0], names.at(-1)],
    head: "Minute",
    keep: "minutes",
  });
}
