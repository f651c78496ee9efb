// Airflow stores its theme under this key. The pages use it too, inside Airflow's frame and outside of it.
// This script runs in the page's head, before the first paint, so that the wrong theme never flashes up.
(() => {
  const KEY = "theme";

  function chosen() {
    const kept = localStorage.getItem(KEY);
    if (kept === "light" || kept === "dark") return kept;
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  function show() {
    document.documentElement.dataset.theme = chosen();
  }

  function switchTheme() {
    localStorage.setItem(KEY, chosen() === "dark" ? "light" : "dark");
    show();
  }

  show();
  addEventListener("storage", (event) => event.key === KEY && show());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  addEventListener("DOMContentLoaded", () => document.getElementById("theme").addEventListener("click", switchTheme));
})();
