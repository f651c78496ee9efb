import { AIRFLOW, get, post, refusal } from "./api.js";
import { copyButton, count, make, time } from "./elements.js";
import { leaveFrames } from "./frame.js";
import { followTheme } from "./theme.js";

const LONGEST_REASON = 280;
const find = (id) => document.getElementById(id);
const chosen = find("filters").elements.namedItem("pattern");
followTheme(find("theme"));
leaveFrames();

async function load() {
  const pattern = new URLSearchParams(location.hash.slice(1)).get("pattern");
  try {
    show(await get("quarantine", new URLSearchParams(pattern ? { pattern } : {})));
    find("problem").hidden = true;
  } catch (error) {
    find("problem").textContent = error.message;
    find("problem").hidden = false;
  }
  document.body.dataset.loaded = "true";
}

function show(answer) {
  const known = answer.pattern in answer.patterns ? answer.patterns : { [answer.pattern]: 0, ...answer.patterns };
  chosen.replaceChildren(...Object.entries(known).map(([name, number]) => make("option", { value: name }, `${name} (${count(number)})`)));
  chosen.value = answer.pattern;
  const groups = answer.groups.map((group) => described(group, answer.pattern));
  if (!groups.length) groups.push(make("p", { class: "empty" }, "Nothing is in quarantine here."));
  find("groups").replaceChildren(...groups);
  find("side").replaceChildren(...(groups.length && answer.groups.length ? [replay(answer)] : []));
}

function described(group, pattern) {
  const events = make("ul", { class: "ids" }, ...group.ids.map((id) => {
    const place = make("div");
    const button = make("button", { type: "button", "aria-expanded": "false" }, id);
    button.addEventListener("click", () => open(button, place, pattern, id));
    return make("li", {}, button, place);
  }));
  const more = group.events - group.ids.length;
  return make("section", { class: "group" },
    make("h2", {}, `${count(group.events)} ${group.events === 1 ? "event" : "events"}: ${group.path ?? "no field is blamed"}`),
    make("p", { class: "problem" }, shortened(group.reason)),
    make("p", { class: "hint" }, `${group.kind}, index ${group.index}, the newest ${time(group.newest)}`),
    make("p", {}, group.remedy),
    ...(group.rule ? rule(group.rule) : []),
    make("details", {}, make("summary", {}, "The events"), events, ...(more > 0 ? [make("p", { class: "hint" }, `and ${count(more)} more`)] : [])));
}

// A server quotes whole values: its words stand in full at each event.
function shortened(words) {
  return words.length > LONGEST_REASON ? `${words.slice(0, LONGEST_REASON)} …` : words;
}

function rule(words) {
  const told = make("span", { class: "hint", role: "status" });
  const text = make("pre", { class: "rule" }, words);
  return [make("p", { class: "hint" }, "Or a rule that gives the value another name, in your rules file:"), text,
    make("div", { class: "actions" }, copyButton(text, told, "Copy the rule"), told)];
}

async function open(button, place, pattern, id) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  place.replaceChildren();
  if (isOpen) return;
  try {
    const entry = await get("quarantine/event", new URLSearchParams({ pattern, id }));
    place.replaceChildren(make("p", { class: "hint whole" }, entry.reason), make("pre", { class: "event" }, pretty(entry.event)));
  } catch (error) {
    place.replaceChildren(make("p", { class: "problem" }, error.message));
  }
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
  const may = answer.may_trigger && answer.request;
  const why = answer.may_trigger ? "The ledger knows no cell with events in quarantine." : "You may not start runs of this DAG.";
  const told = make("p", { class: "hint", role: "status", id: "told" }, may ? "" : why);
  const start = make("button", { type: "button", class: "primary", id: "start", disabled: !may }, "Replay now");
  start.addEventListener("click", async () => {
    start.disabled = true;
    told.textContent = "Starting …";
    try {
      const run = await post(answer.request);
      const address = AIRFLOW + answer.run_page.replace("{}", encodeURIComponent(run.dag_run_id));
      told.replaceChildren("The replay has begun: ", make("a", { href: address, target: "_top" }, "see its run"), ".");
    } catch (error) {
      told.textContent = refusal(error);
      start.disabled = false;
    }
  });
  return make("section", {}, make("h2", {}, "Replay, once it is mended"),
    make("p", { class: "hint" }, "Loads again what is in quarantine; what is indexed then leaves it, the rest stays."),
    text, make("div", { class: "actions" }, copyButton(text, told), start), told);
}

chosen.addEventListener("change", () => { location.hash = new URLSearchParams({ pattern: chosen.value }); });
addEventListener("hashchange", load);
load();
