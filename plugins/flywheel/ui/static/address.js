// Parses the page's address: its path, and the section, window, version or ledger entry named after the #.
import { pageRoot } from "./api.js";
import { openWindow } from "./window.js";

/** Returns the decoded names of a path below the page's root. */
export const pathNames = (pathname) => pathname.slice(pageRoot.length).split("/").slice(1).map(decodeURIComponent);

/** Returns kind and value of what a hash names: `#window=2013-02`, `#version=3`, `#entry=5`, or a section, `#drift`. */
export const hashTarget = (hash) => new URLSearchParams(hash.slice(1)).entries().next().value ?? [];

/** Returns the hash of this page or, inside Airflow, of the page around it, which does not pass it on. */
function currentHash() {
  const outer = window.parent === window ? null : window.parent.location;
  const isOurs = outer?.pathname.endsWith(location.pathname.replace(/\/$/u, ""));
  return location.hash || (isOurs ? outer.hash : "");
}

/** Scrolls to what the address names, or opens it if it is a window. */
export function arrive() {
  const [kind, value] = hashTarget(currentHash());
  if (kind === "window") return openWindow(pathNames(location.pathname)[1], { name: value });
  if (kind === "entry") return highlight(`tr[data-number="${CSS.escape(value)}"]`);
  if (kind === "version") return highlightVersion(value);
  document.getElementById(kind ?? "")?.scrollIntoView();
}

/** Highlights a version's promotion, or else another line about it in the ledger or the registry. */
function highlightVersion(version) {
  const row = `tr[data-version="${CSS.escape(version)}"]`;
  [`${row}[data-entry=promotion]`, `${row}[data-entry]`, row].some(highlight);
}

function highlight(selector) {
  const row = document.querySelector(selector);
  if (!row) return false;
  row.closest("details")?.setAttribute("open", "");
  document.querySelector("tr.aimed")?.classList.remove("aimed");
  row.classList.add("aimed");
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "center" });
  return true;
}
