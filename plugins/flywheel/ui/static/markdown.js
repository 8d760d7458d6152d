// Markdown as far as the evidence of a decision uses it.
import { h } from "./dom.js";

/** Of Markdown as much as evidence uses: paragraphs, lists and tables. */
export function markdown(source) {
  const cells = (line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  return source.split(/\n\s*\n/).map((block) => {
    const lines = block.split("\n").filter(Boolean);
    if (lines.every((line) => line.startsWith("- ")))
      return h(
        "ul",
        {},
        lines.map((line) => h("li", {}, line.slice(2))),
      );
    if (!lines.every((line) => line.startsWith("|"))) return h("p", {}, block);
    const [head, , ...rest] = lines;
    return h(
      "div",
      { class: "scroll" },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            cells(head).map((cell) => h("th", { scope: "col" }, cell)),
          ),
        ),
        h(
          "tbody",
          {},
          rest.map((line) =>
            h(
              "tr",
              {},
              cells(line).map((cell) => h("td", {}, cell)),
            ),
          ),
        ),
      ),
    );
  });
}
