// Airflow keeps its theme under this key; both follow it, in a frame of Airflow's and by themselves.
const KEY = "theme";

function chosen() {
  const kept = localStorage.getItem(KEY);
  if (kept === "light" || kept === "dark") return kept;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function show() {
  document.documentElement.dataset.theme = chosen();
}

export function followTheme(button) {
  show();
  addEventListener("storage", (event) => event.key === KEY && show());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  button.addEventListener("click", () => {
    localStorage.setItem(KEY, chosen() === "dark" ? "light" : "dark");
    show();
  });
}
