// Makes elements. Text becomes text, never markup: what records say cannot become part of the page's code.

/** An element: h("a", {href: "x", class: "y", onclick: f}, "text", other). Null and false children are left out. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same of SVG. */
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

/** Says something to everybody, readers of the screen included. */
export function say(text, kind = "note") {
  const place = document.getElementById("said");
  const note = h(
    "p",
    { class: `toast ${kind}` },
    text,
    h("button", { class: "plain", "aria-label": "Close", onclick: () => note.remove() }, "×"),
  );
  place.append(note);
  if (kind !== "error") setTimeout(() => note.remove(), 20000);
}
