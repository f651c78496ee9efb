import { AIRFLOW } from "./api.js";
import { make } from "./elements.js";

// Title and advice by HTTP status. The server's own message, if any, is shown between them.
const KNOWN = {
  0: ["Airflow cannot be reached", "The browser gets no answer from Airflow's API server. Check the network, and check that the server is running."],
  400: ["The page's address has a wrong value", ""],
  401: ["You are no longer logged in to Airflow", "Log in again, then come back to this page: it opens as you left it."],
  403: ["You are not allowed to see this page", "Only users who may read the DAG cloudtrail_to_elasticsearch can see it. Ask your Airflow administrator for that right."],
  404: ["Not found", ""],
  422: ["The page's address has a wrong value", ""],
  502: ["Cannot read from the search server", "Trying again does not help until the cause is fixed."],
  503: ["The search server does not answer", "This may be temporary: try again in a minute."],
};
const OTHER = ["Airflow failed to answer", "Try again. If it fails again, read the log of Airflow's API server."];
const WITHOUT_MESSAGE = new Set([0, 401, 403]);
const FINAL = new Set([403, 404]);
const INVALID = new Set([400, 422]);

function button(words, act) {
  const made = make("button", { type: "button", class: "primary" }, words);
  made.addEventListener("click", act);
  return made;
}

function actions(status, retry, reset) {
  if (status === 401) return [make("a", { class: "button primary", href: `${AIRFLOW}/`, target: "_top" }, "Log in to Airflow")];
  if (INVALID.has(status) && reset) return [button("Reset the filters", reset)];
  return FINAL.has(status) ? [] : [button("Try again", retry)];
}

// `reset` loads the page without filters.
export function problem(error, retry, reset) {
  const [title, advice] = KNOWN[error.status] ?? OTHER;
  const words = WITHOUT_MESSAGE.has(error.status) ? "" : error.message;
  const offered = actions(error.status, retry, reset);
  return [
    make("h2", {}, title),
    ...[words, advice].filter(Boolean).map((text) => make("p", {}, text)),
    ...(offered.length ? [make("div", { class: "actions" }, ...offered)] : []),
  ];
}
