import { AIRFLOW, describeRefusal, get, post } from "./api.js";
import { copyButton, count, make, time } from "./elements.js";
import { leaveFrames } from "./frame.js";
import { Loader } from "./loader.js";
import { fill } from "./waiting.js";
import { SOURCES } from "./words.js";

const LONGEST_REASON = 280;
const find = (id) => document.getElementById(id);
const chosen = find("filters").elements.namedItem("pattern");
const loader = new Loader("Loading the quarantine …", find("groups"), () => { location.hash = ""; });
leaveFrames();

function load() {
  const pattern = new URLSearchParams(location.hash.slice(1)).get("pattern");
  return loader.load((signal) => get("quarantine", new URLSearchParams(pattern ? { pattern } : {}), signal), show);
}

function show(answer) {
  const known = answer.pattern in answer.patterns ? answer.patterns : { [answer.pattern]: 0, ...answer.patterns };
  chosen.replaceChildren(...Object.entries(known).map(([name, number]) => make("option", { value: name }, `${name} (${count(number)})`)));
  chosen.value = answer.pattern;
  const groups = answer.groups.map((group) => describe(group, answer.pattern));
  find("groups").replaceChildren(...groups.length ? groups : [nothing()]);
  find("side").replaceChildren(...(groups.length ? [replay(answer)] : []));
  return "shown";
}

function nothing() {
  return make("div", { class: "empty" }, make("p", {}, "No events are in quarantine for this index."),
    make("p", { class: "hint" }, "If the search server still rejects an event after the loader has moved the rejected fields, the event is stored here unchanged, with the server's reason."));
}

function describe(group, pattern) {
  const events = make("ul", { class: "ids" }, ...group.ids.map((id) => {
    const place = make("div");
    const button = make("button", { type: "button", "aria-expanded": "false" }, id);
    button.addEventListener("click", () => open(button, place, pattern, id));
    return make("li", {}, button, place);
  }));
  const more = group.events - group.ids.length;
  return make("section", { class: "group" },
    make("h2", {}, `${count(group.events)} ${group.events === 1 ? "event" : "events"}: ${group.path ?? "no field named in the error"}`),
    make("p", { class: "problem" }, shorten(group.reason)),
    make("p", { class: "hint" }, `${group.kind}, index ${group.index}, newest ${time(group.newest)}`),
    make("p", {}, group.remedy),
    ...(group.rule ? rule(group.rule) : []),
    make("details", {}, make("summary", {}, "Events"), events, ...(more > 0 ? [make("p", { class: "hint" }, `and ${count(more)} more`)] : [])));
}

// A server's error can quote whole values. The full error is shown with each event.
function shorten(words) {
  return words.length > LONGEST_REASON ? `${words.slice(0, LONGEST_REASON)} …` : words;
}

function rule(words) {
  const status = make("span", { class: "hint", role: "status" });
  const text = make("pre", { class: "rule" }, words);
  return [make("p", { class: "hint" }, "Or add this rule, which renames the field, to your rules file:"), text,
    make("div", { class: "actions" }, copyButton(text, status, "Copy the rule"), status)];
}

function open(button, place, pattern, id) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  place.replaceChildren();
  if (isOpen) return;
  fill(place, "Loading the event …", () => get("quarantine/event", new URLSearchParams({ pattern, id })),
    (entry) => [make("p", { class: "hint whole" }, entry.reason), make("pre", { class: "event" }, pretty(entry.event))]);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function replay(answer) {
  const text = make("pre", { id: "command" }, answer.command);
  const may = answer.may_trigger && answer.replays.length;
  const why = answer.may_trigger
    ? "The command line loaded these events, so the ledger has no days to replay with the button. Use the command above."
    : "You are not allowed to trigger this DAG. Ask somebody who may trigger it to replay in Airflow, or to run this command.";
  const status = make("p", { class: "hint", role: "status", id: "status" }, may ? "" : why);
  // Each source has a DAG of its own.
  const starts = may ? answer.replays.map((each) => startButton(each, answer.replays.length > 1, status)) : [make("button", { type: "button", class: "primary", id: "start", disabled: true }, "Replay now")];
  return make("section", {}, make("h2", {}, "Replay after the fix"),
    make("p", { class: "hint" }, "A replay loads the quarantined events again. Events that the server accepts leave the quarantine; the others stay. A button starts a run of the DAG of the events' source. The command needs the credentials of a user who may write to the index: add user and password to its URL, or set an API key in CLOUDTRAIL_SEARCH_API_KEY."),
    text, make("div", { class: "actions" }, copyButton(text, status), ...starts), status);
}

function startButton({ source, request, run_page: runPage }, isOneOfTwo, status) {
  const id = source === "lookup_events" ? "start" : `start-${source}`;
  const start = make("button", { type: "button", class: "primary", id }, `Replay now${isOneOfTwo ? ` (${SOURCES[source].short})` : ""}`);
  start.addEventListener("click", async () => {
    start.disabled = true;
    status.textContent = "Starting …";
    try {
      const run = await post(request);
      const address = AIRFLOW + runPage.replace("{}", encodeURIComponent(run.dag_run_id));
      status.replaceChildren("The replay has started: ", make("a", { href: address, target: "_top" }, "open its run"), ".");
    } catch (error) {
      status.textContent = describeRefusal(error);
      start.disabled = false;
    }
  });
  return start;
}

chosen.addEventListener("change", () => { location.hash = new URLSearchParams({ pattern: chosen.value }); });
addEventListener("hashchange", load);
load();
