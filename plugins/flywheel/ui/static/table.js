// Tables of the page. Where the window is narrow each row becomes a small list, every value under its column's name;
// the roles are written out, since a browser may forget them of a table that is laid out otherwise.
import { h } from "./dom.js";

/** A cell with attributes of its own, where a plain value will not do. */
export const cell = (content, attributes = {}) => ({ content, attributes });

/** One row. The first cell names it; `heads` are the columns' names. */
export function row(heads, cells, attributes = {}) {
  const made = cells.map((each, index) => {
    const { content, attributes: own } =
      each !== null && typeof each === "object" && "content" in each ? each : cell(each);
    return index
      ? h("td", { role: "cell", "data-label": heads[index], ...own }, content)
      : h("th", { role: "rowheader", scope: "row", ...own }, content);
  });
  return h("tr", { role: "row", ...attributes }, made);
}

/** A table with its name; `body` are rows, or lists of cells. It scrolls in its own frame, not the page. */
export function table(name, heads, body, { tall = false, caption = null } = {}) {
  const rows = body.map((each) => (each instanceof Element ? each : row(heads, each)));
  const head = heads.map((text) => h("th", { role: "columnheader", scope: "col" }, text));
  return h(
    "div",
    { class: tall ? "scroll tall" : "scroll", tabindex: 0, role: "region", "aria-label": name },
    h(
      "table",
      { role: "table", class: "stack", "aria-label": name },
      caption && h("caption", {}, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
      h("tbody", { role: "rowgroup" }, rows),
    ),
  );
}
