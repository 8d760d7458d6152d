// Creates elements. Text stays text, never markup, so records cannot inject code into the page.

/** Creates an element: h("a", {href: "x", onclick: f}, "text", child). Null and false children are left out. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Creates an SVG element. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** Shows a notification, which screen readers announce as well. */
export function notify(text, kind = "note") {
  const stack = document.getElementById("said");
  const note = h(
    "p",
    { class: `toast ${kind}` },
    text,
    h("button", { class: "plain", "aria-label": "Close", onclick: () => note.remove() }, "×"),
  );
  stack.append(note);
  if (kind !== "error") setTimeout(() => note.remove(), 20_000);
}
