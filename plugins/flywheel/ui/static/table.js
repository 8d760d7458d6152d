// Tables. In a narrow window each row becomes a list of labelled values; the roles are explicit, since browsers
// drop a table's roles when its layout changes.
import { h } from "./dom.js";

/** Builds a cell with attributes of its own. */
export const cell = (content, attributes = {}) => ({ content, attributes });

/** Builds a row. The first cell is its header; `heads` are the columns' names. */
export function row(heads, cells, attributes = {}) {
  const elements = cells.map((value, index) => {
    const { content, attributes: own } =
      value !== null && typeof value === "object" && "content" in value ? value : cell(value);
    return index
      ? h("td", { role: "cell", "data-label": heads[index], ...own }, content)
      : h("th", { role: "rowheader", scope: "row", ...own }, content);
  });
  return h("tr", { role: "row", ...attributes }, elements);
}

/** Builds a named table in a scrolling frame; `body` holds rows or lists of cells. */
export function table(name, heads, body, { tall = false, caption = null } = {}) {
  const rows = body.map((line) => (line instanceof Element ? line : row(heads, line)));
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
