// Applies Airflow's theme: that of the page around this one or, if the page stands alone, the one stored by Airflow.
// A classic script, so that it runs before the page is painted.
{
  const THEMES = ["dark", "light"];

  let outer;
  try {
    if (window.parent !== window) outer = window.parent.document.documentElement;
  } catch {
    // a page of another origin has no theme to follow
  }

  /** Returns the theme that Airflow stored in this browser, if the browser permits storage. */
  const storedTheme = () => {
    try {
      return THEMES.find((theme) => localStorage.getItem("theme") === theme);
    } catch {
      // without storage the system's theme applies
    }
  };

  const darkSystem = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const outerTheme = outer && THEMES.find((theme) => outer.classList.contains(theme));
    const theme = outerTheme ?? storedTheme() ?? (darkSystem.matches ? "dark" : "light");
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("flywheel:theme"));
  };
  apply();
  darkSystem.addEventListener("change", apply);
  if (outer) new MutationObserver(apply).observe(outer, { attributes: true, attributeFilter: ["class"] });
}
