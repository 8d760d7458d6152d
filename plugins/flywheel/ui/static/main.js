// The page's beginning: which view, and what is shown while it loads and when it cannot.
import { pageRoot } from "./api.js";
import { h } from "./dom.js";
import { follow } from "./links.js";
import { overview } from "./overview.js";

/** How often a view that is looked at is read again, in milliseconds. */
const AGAIN_MS = 20000;

async function show() {
  const main = document.getElementById("main");
  try {
    main.replaceChildren(...(await overview()).filter(Boolean));
    main.dataset.state = "ready";
  } catch (error) {
    main.dataset.state = "failed";
    main.replaceChildren(h("div", { class: "empty", role: "alert" }, h("h1", {}, "Flywheel"), h("p", {}, error.message), h("button", { onclick: show }, "Try again")));
  }
}

follow();
show();
