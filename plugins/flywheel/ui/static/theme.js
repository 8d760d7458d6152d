// Follows Airflow's theme. A plugin's page is a frame that is told nothing, but it may look at the page around it;
// opened on its own it takes what was chosen in Airflow's pages, which this browser keeps.
(() => {
  const around = () => {
    try {
      return window.parent !== window ? window.parent.document.documentElement : null;
    } catch {
      return null; // framed by somebody else: nothing to follow
    }
  };
  const kept = () => {
    try {
      return ["dark", "light"].find((theme) => localStorage.getItem("theme") === theme);
    } catch {
      return undefined; // this browser keeps nothing
    }
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const outer = around();
    const named = outer && ["dark", "light"].find((theme) => outer.classList.contains(theme));
    const theme = named ?? kept() ?? (dark.matches ? "dark" : "light");
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("flywheel:theme"));
  };
  apply();
  dark.addEventListener("change", apply);
  const outer = around();
  if (outer) new MutationObserver(apply).observe(outer, { attributes: true, attributeFilter: ["class"] });
})();
