import { AIRFLOW } from "./api.js";
import { copyButton, make } from "./elements.js";

// The first steps, shown if the ledger has no cells.
export function firstSteps({ dag_id: dag, first_command: command }, checkAgain) {
  const status = make("span", { class: "hint", role: "status" });
  const text = make("pre", { id: "first" }, command);
  const again = make("button", { type: "button", class: "primary" }, "Check again");
  again.addEventListener("click", checkAgain);
  return make("section", { class: "first" },
    make("h2", {}, "No events are loaded yet"),
    make("ol", {},
      make("li", {}, "Unpause the DAG ", make("a", { href: `${AIRFLOW}/dags/${dag}`, target: "_top" }, dag), ": it then loads each day after the day has ended."),
      make("li", {}, "To load past days, run this backfill in a shell with Airflow:", text, make("div", { class: "actions" }, copyButton(text, status), status))),
    make("p", { class: "hint" }, "The cell of a region and day appears here when its load begins."),
    make("div", { class: "actions" }, again));
}
