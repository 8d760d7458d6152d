import assert from "node:assert/strict";
import { test } from "node:test";
import "./page.mjs";
import { bars } from "../../../../plugins/flywheel/ui/static/bars.js";
import { h } from "../../../../plugins/flywheel/ui/static/dom.js";
import { markdown, parseBlocks } from "../../../../plugins/flywheel/ui/static/markdown.js";
import { oldest, part, troubles } from "../../../../plugins/flywheel/ui/static/parts.js";
import { cell, table } from "../../../../plugins/flywheel/ui/static/table.js";

const click = () => null;

test("an element leaves out what is null or false, and text stays text", () => {
  const made = h("a", { href: "/x", title: null, disabled: false, hidden: true, onclick: click }, "<b>", null, [0, [false, "y"]]);
  assert.deepEqual(made.attributes, { href: "/x", hidden: "" });
  assert.deepEqual(made.listeners, { click });
  assert.deepEqual(made.children, ["<b>", 0, "y"]);
});

test("Markdown is split into lists, tables and paragraphs", () => {
  const source = "Gain 0.01.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |";
  assert.deepEqual(parseBlocks(source), [
    { text: "Gain 0.01." },
    { list: ["one", "two"] },
    { head: ["a", "b"], rows: [["1", "2"], ["3", "4"]] },
  ]);
  const [paragraph, list, scroll] = markdown(source);
  assert.deepEqual([paragraph.name, list.name, scroll.attributes.class], ["p", "ul", "scroll"]);
  assert.deepEqual(scroll.all("td").map((element) => element.textContent), ["1", "2", "3", "4"]);
});

test("a table's first cell is its row's header, and each cell knows its column", () => {
  const made = table("Runs", ["Run", "State"], [["one", cell("failed", { class: "bad" })]]);
  assert.equal(made.attributes["aria-label"], "Runs");
  assert.equal(made.all("tbody")[0].all("th")[0].textContent, "one");
  assert.deepEqual(made.all("td")[0].attributes, { role: "cell", "data-label": "State", class: "bad" });
});

const SERIES = [
  { label: "batch", kind: "baseline", values: [10, 0] },
  { label: "online", kind: "current", values: [30, undefined] },
];
const drawn = (options) =>
  bars({ names: ["a", "b"], series: SERIES, label: "Answers", format: String, marks: ["a", "b"], ...options });
const rects = (chart) => chart.all("rect").filter((rect) => rect.attributes.class !== "column").map((rect) => rect.attributes);

test("grouped bars are scaled to the highest bar", () => {
  const [first, second, ...empty] = rects(drawn());
  assert.equal(second.height, 158);
  assert.equal(first.height, 158 / 3);
  assert.equal(second.x, first.x + first.width);
  assert.deepEqual(empty.map(({ height }) => height), [0, 0]);
});

test("stacked bars are scaled to the highest stack and stand on each other", () => {
  const chart = drawn({ stacked: true });
  const [first, second] = rects(chart);
  assert.equal(first.height + second.height, 158);
  assert.equal(second.y + second.height, first.y);
  assert.ok(chart.textContent.includes("highest: 40"));
});

test("a whole leaves room above the highest bar, and a click opens its window", () => {
  const opened = [];
  const chart = drawn({ whole: 60, open: (index) => opened.push(index) });
  assert.equal(rects(chart)[1].height, 79);
  chart.all("g")[1].listeners.click();
  assert.deepEqual(opened, [1]);
});

const text = (source) => part(source, (value) => `value ${value}`).map((child) => child.textContent ?? child).join("|");

test("a part shows its content, its error or that it is empty", () => {
  const now = new Date().toISOString();
  assert.equal(text({ value: 1, as_of: now }), "value 1");
  assert.match(text({ value: 1, as_of: now, error: "lost" }), /old.*\|value 1$/u);
  assert.match(text({ value: 1, as_of: "2013-01-01T00:00:00Z" }), /old.*\|value 1$/u);
  assert.equal(text({ error: "lost" }), "Cannot be read now.");
  assert.equal(text({}), "Nothing yet.");
});

test("each reason for trouble is shown once, with advice", () => {
  assert.equal(troubles([{ value: 1 }, { error: null }]), null);
  const box = troubles([{ error: "NoSuchBucket" }, { error: "NoSuchBucket", value: 1 }]);
  assert.equal(box.all("p").length, 2);
  assert.match(box.textContent, /was read last.*make run.*\(2 parts\)$/u);
});

test("the page is as old as its oldest part", () => {
  assert.equal(oldest([{ as_of: "2013-02-01T00:00:00+01:00" }, {}, { as_of: "2013-02-01T00:00:00Z" }]), "2013-02-01T00:00:00+01:00");
});
