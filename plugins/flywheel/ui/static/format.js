// Formats numbers and times. Times are in the zone chosen in Airflow, or else in the browser's.

/** Returns the zone that Airflow's pages stored in this browser, or the browser's own if that one is unusable. */
function chosenZone() {
  try {
    const timeZone = JSON.parse(localStorage.getItem("timezone") ?? "null") ?? undefined;
    return new Intl.DateTimeFormat("en-CA", { timeZone }).resolvedOptions().timeZone;
  } catch {
    return new Intl.DateTimeFormat("en-CA").resolvedOptions().timeZone;
  }
}

const zone = chosenZone();

const stamp = new Intl.DateTimeFormat("en-CA", {
  timeZone: zone,
  dateStyle: "short",
  timeStyle: "short",
  hourCycle: "h23",
});
const exact = new Intl.DateTimeFormat("en-CA", {
  timeZone: zone,
  dateStyle: "short",
  timeStyle: "long",
  hourCycle: "h23",
});

const clock = new Intl.DateTimeFormat("en-CA", { timeZone: zone, timeStyle: "short", hourCycle: "h23" });

/** Formats the time of day in the user's zone: 01:00. */
export const timeOfDay = (iso) => clock.format(new Date(iso));
/** Formats a moment in the user's zone: 2013-02-01 01:00. */
export const moment = (iso) => (iso ? stamp.format(new Date(iso)).replace(",", "") : "–");
/** Formats a moment to the second, with the zone's name. */
export const exactly = (iso) => (iso ? exact.format(new Date(iso)).replace(",", "") : "");
/** Formats a date of an interval, in UTC like the schedule: 2013-02-01, with the hour unless it is midnight. */
export const utcDate = (iso) => {
  const text = new Date(iso).toISOString();
  return text.slice(11, 16) === "00:00" ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
};
/** Formats an interval: 2013-02-01 – 2013-03-01. */
export const interval = (pair) => (pair ? `${utcDate(pair[0])} – ${utcDate(pair[1])}` : "–");
/** Formats a metric with four digits. */
export const metric = (value) => (typeof value === "number" ? value.toFixed(4) : "undefined");
/** Formats a share: 98 %, with one decimal near 0 and 1. */
export const share = (value) =>
  typeof value === "number" ? `${(100 * value).toFixed(value > 0.995 || value < 0.1 ? 1 : 0)} %` : "–";
export const count = (value) => (typeof value === "number" ? value.toLocaleString("en-US") : "–");
/** Formats a number with its noun: 1 request, 2 requests. */
export const counted = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
export const ms = (value) =>
  typeof value === "number" ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : "–";

/** Formats a duration in its two largest units: 3 d 4 h, 12 min, 8 s. */
export function span(seconds) {
  if (typeof seconds !== "number" || Number.isNaN(seconds)) return "–";
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
  ];
  for (const [index, [name, size]] of units.entries()) {
    if (seconds < size) continue;
    const rest = units[index + 1];
    const left = rest ? Math.floor((seconds % size) / rest[1]) : Math.round(seconds % size);
    return `${Math.floor(seconds / size)} ${name}${left ? ` ${left} ${rest?.[0] ?? "s"}` : ""}`;
  }
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

export const secondsSince = (iso) => (Date.now() - Date.parse(iso)) / 1000;
/** Formats a duration in its largest unit alone: 3 d, 12 min. */
const roughly = (seconds) => span(seconds).split(" ").slice(0, 2).join(" ");
/** Formats a moment relative to now: 5 min ago, in 3 h. */
export const ago = (iso) => {
  if (!iso) return "never";
  const passed = Math.round(secondsSince(iso));
  if (Math.abs(passed) < 10) return "just now";
  return passed > 0 ? `${roughly(passed)} ago` : `in ${roughly(-passed)}`;
};
