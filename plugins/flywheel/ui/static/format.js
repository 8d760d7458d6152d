// Numbers and times for people; times in the zone that the user chose in Airflow, or else in the browser's.

export const zone = (() => {
  try {
    const kept = JSON.parse(localStorage.getItem("timezone") ?? "null") ?? undefined;
    new Intl.DateTimeFormat(undefined, { timeZone: kept });
    return kept ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  } catch {
    return Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
})();

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

/** The time of day in the user's zone: 01:00. */
export const timeOfDay = (iso) => clock.format(new Date(iso));
/** A moment in the user's zone: 2013-02-01 01:00. */
export const moment = (iso) => (iso ? stamp.format(new Date(iso)).replace(",", "") : "–");
/** The same to the second, with the zone's name. */
export const exactly = (iso) => (iso ? exact.format(new Date(iso)).replace(",", "") : "");
/** A date of an interval, which is in UTC as the schedule is: 2013-02-01, with the hour where it is not midnight. */
export const utcDate = (iso) => {
  const text = new Date(iso).toISOString();
  return text.slice(11, 16) === "00:00" ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
};
export const interval = (pair) => (pair ? `${utcDate(pair[0])} – ${utcDate(pair[1])}` : "–");
/** A number with four digits, as metrics are told. */
export const metric = (value) => (typeof value === "number" ? value.toFixed(4) : "undefined");
export const share = (value) =>
  typeof value === "number" ? `${(100 * value).toFixed(value > 0.995 || value < 0.1 ? 1 : 0)} %` : "–";
export const count = (value) => (typeof value === "number" ? value.toLocaleString("en-US") : "–");
/** A number with its noun: 1 request, 2 requests. */
export const counted = (value, noun) => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
export const ms = (value) =>
  typeof value === "number" ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : "–";

/** A stretch of time in its largest units: 3 d 4 h, 12 min, 8 s. */
export function span(seconds) {
  if (typeof seconds !== "number" || Number.isNaN(seconds)) return "–";
  const units = [
    ["d", 86400],
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
/** The largest unit of a stretch of time alone: 3 d, 12 min. */
const roughly = (seconds) => span(seconds).split(" ").slice(0, 2).join(" ");
/** 5 min ago; in 3 h. */
export const ago = (iso) => {
  if (!iso) return "never";
  const passed = Math.round(secondsSince(iso));
  if (Math.abs(passed) < 10) return "just now";
  return passed > 0 ? `${roughly(passed)} ago` : `in ${roughly(-passed)}`;
};
