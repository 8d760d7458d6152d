// Renders the subset of Markdown that evidence uses: paragraphs, lists and tables.
import { h } from "./dom.js";

/** Splits Markdown into blocks: `{list}`, `{head, rows}` or `{text}`. */
export function parseBlocks(source) {
  return source.split(/\n\s*\n/u).map((block) => {
    const lines = block.split("\n").filter(Boolean);
    if (lines.every((line) => line.startsWith("- "))) return { list: lines.map((line) => line.slice(2)) };
    if (!lines.every((line) => line.startsWith("|"))) return { text: block };
    const [head, , ...rows] = lines.map(splitCells);
    return { head, rows };
  });
}

const splitCells = (line) =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

/** Builds the elements of a Markdown text. */
export const markdown = (source) => parseBlocks(source).map(render);

const row = (cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell)));

function render({ text, list, head, rows }) {
  if (list) return h("ul", {}, list.map((item) => h("li", {}, item)));
  if (!head) return h("p", {}, text);
  const heads = h("tr", {}, head.map((cell) => h("th", { scope: "col" }, cell)));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, heads), h("tbody", {}, rows.map(row))));
}
