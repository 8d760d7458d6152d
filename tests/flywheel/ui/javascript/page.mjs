// Installs a minimal document, so that the page's scripts can be imported by node. Import it before them.

/** An element that keeps its attributes, children and listeners. */
class Element {
  constructor(name) {
    this.name = name;
    this.attributes = {};
    this.listeners = {};
    this.children = [];
  }

  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  addEventListener(name, listener) {
    this.listeners[name] = listener;
  }

  append(...children) {
    this.children.push(...children);
  }

  get textContent() {
    return this.children.map((child) => (child instanceof Element ? child.textContent : String(child))).join("");
  }

  /** Returns all elements of a name below this one, in document order. */
  all(name) {
    const below = this.children.filter((child) => child instanceof Element);
    return below.flatMap((child) => [...(child.name === name ? [child] : []), ...child.all(name)]);
  }
}

globalThis.Element = Element;
globalThis.document = {
  documentElement: { dataset: { root: "/team/flywheel" } },
  createElement: (name) => new Element(name),
  createElementNS: (namespace, name) => new Element(name),
};
