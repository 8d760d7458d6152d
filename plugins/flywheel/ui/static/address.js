// What an address names behind its #: a section, a window to open, a version or an entry of the ledger.
import { pageRoot } from "./api.js";
import { openWindow } from "./window.js";

/** Names and values behind the #: of this page's address, or of Airflow's page around it, which keeps it for itself. */
function named() {
  const outer = window.parent === window ? null : window.parent.location;
  const isOurs = outer?.pathname.endsWith(location.pathname.replace(/\/$/, ""));
  return new URLSearchParams((location.hash || (isOurs ? outer.hash : "")).slice(1));
}

/** Goes to what the address names, once it is there; a window is opened. */
export function arrive() {
  const names = named();
  const [first] = names.keys();
  if (first === "window") return openWindow(cycleOf(), { name: names.get("window") });
  if (first === "entry") return aim(`tr[data-number="${CSS.escape(names.get("entry"))}"]`);
  if (first === "version") return aimVersion(names.get("version"));
  document.getElementById(first ?? "")?.scrollIntoView();
}

const cycleOf = () => decodeURIComponent(location.pathname.slice(pageRoot.length).split("/")[2]);

/** A version's promotion, or else what else the ledger or the registry says of it. */
function aimVersion(version) {
  const row = `tr[data-version="${CSS.escape(version)}"]`;
  for (const place of [`${row}[data-entry=promotion]`, `${row}[data-entry]`, row]) if (aim(place)) return;
}

function aim(place) {
  const row = document.querySelector(place);
  if (!row) return false;
  row.closest("details")?.setAttribute("open", "");
  document.querySelector("tr.aimed")?.classList.remove("aimed");
  row.classList.add("aimed");
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "center" });
  return true;
}
