import { before, forget, length, readParams, remember, yesterday } from "./address.js";
import { get } from "./api.js";
import { brief, count, make } from "./elements.js";
import { firstSteps } from "./first.js";
import { leaveFrames } from "./frame.js";
import { Grid } from "./grid.js";
import { Loader } from "./loader.js";
import { busiest, details, selected } from "./side.js";
import { Table } from "./table.js";
import { SOURCES } from "./words.js";

const find = (id) => document.getElementById(id);
const filters = find("filters");
const field = (name) => filters.elements.namedItem(name);
const cellPlace = make("div");
const choicePlace = make("div");
const ALL_ACCOUNTS = "*";
const grid = new Grid(find("map"), find("tip"));
const loader = new Loader("Loading the coverage …", find("map"), () => {
  filters.reset();
  forget();
  load();
});
let answer = null;
let table = null;
let opened = null;

leaveFrames();

function rememberFilters() {
  const params = new URLSearchParams();
  for (const name of ["first", "last", "account", "pattern", "source", "region"]) if (field(name).value) params.set(name, field(name).value);
  if (opened) params.set("cell", opened);
  remember(params);
}

function load() {
  const params = readParams();
  const region = params.get("region") ?? "";
  opened = params.get("cell");
  params.delete("region");
  params.delete("cell");
  const began = performance.now();
  return loader.load((signal) => get("coverage", params, signal), (found) => {
    const got = performance.now();
    answer = found;
    fill(region);
    draw();
    document.body.offsetHeight;
    performance.measure("coverage-answer", { start: began, end: got });
    performance.measure("coverage-draw", { start: got, end: performance.now() });
    return answer.first_command ? "empty" : "shown";
  });
}

function fill(region) {
  const all = answer.accounts.length > 1 ? [ALL_ACCOUNTS] : [];
  for (const [name, known] of [["account", [...all, ...answer.accounts.toSorted()]], ["pattern", answer.patterns]]) {
    const names = known.includes(answer[name]) || !answer[name] ? known : [answer[name], ...known];
    field(name).replaceChildren(...names.map((each) => make("option", { value: each }, each === ALL_ACCOUNTS ? "all accounts" : each)));
    field(name).value = answer[name];
  }
  field("source").replaceChildren(make("option", { value: "" }, "both"), ...Object.entries(SOURCES).map(([value, { name }]) => make("option", { value }, name)));
  field("source").value = answer.source ?? "";
  field("source").parentElement.hidden = answer.sources.length < 2 && !answer.source;
  field("region").placeholder = "all";
  field("region").previousSibling.textContent = answer.rows === "account" ? "Accounts " : "Regions ";
  field("first").value = answer.first;
  field("last").value = answer.last;
  field("region").value = region;
  const days = length(answer.first, answer.last);
  for (const button of document.querySelectorAll("[data-days]")) button.setAttribute("aria-pressed", String(+button.dataset.days === days));
}

function describeTotals(totals, source, labels, isOneOfTwo) {
  const from = isOneOfTwo ? ` (${SOURCES[source].short})` : "";
  return Object.entries(labels).map(([key, label]) => [brief(totals[key]), key === "looked_up" ? `events ${label}` : `${label}${from}`, count(totals[key])]);
}

function draw() {
  table = new Table(answer, field("region").value);
  const planned = [...table.counts.values()].reduce((sum, each) => sum + each, 0);
  const verified = planned ? (table.counts.get("complete") + table.counts.get("quiet") + table.counts.get("quarantined")) / planned : 0;
  const facts = [
    [planned ? `${Math.floor(1000 * verified) / 10} %` : "–", "of the cells verified", `${count(planned)} cells`],
    ...[...table.totals].flatMap(([source, totals]) => describeTotals(totals, source, table.figureLabels[source], table.totals.size > 1)),
    [count(new Set(table.names).size), `${answer.rows}s`, ""],
  ];
  find("totals").replaceChildren(...facts.map(([value, name, title]) => make("div", { class: "total", title }, make("b", {}, value), make("span", {}, name))));
  const shown = [...table.counts, ["none", table.names.length * table.days.length - planned]];
  find("legend").replaceChildren(...shown.map(([name, number]) => make("li", { "data-state": name },
    make("i", { class: `s-${name}` }), name === "none" ? "not planned" : name, make("b", {}, count(number)))));
  find("side").replaceChildren(cellPlace, choicePlace, busiest(table));
  choicePlace.replaceChildren();
  cellPlace.replaceChildren(make("section", {}, make("p", { class: "hint" },
    answer.rows === "account" ? "Each row is an account. A cell has the state of the region that needs most attention. Click a cell to see the account's regions. Or move to it with the arrow keys and press Enter."
      : "Click a cell to see its figures, its task and its documents. Or move to it with the arrow keys and press Enter. To load cells again, select them: drag over them, or hold Shift and click or use the arrow keys.")));
  grid.draw(table, answer.first_command ? firstSteps(answer, load) : make("p", { class: "empty" },
    "The ledger has no cells here. Choose other days, another account or another index. Cells appear when the DAG loads them."));
  reopen();
}

// A user who returns from a task's page finds the same cell open.
function reopen() {
  const [region, day, source] = opened?.split("/") ?? [];
  const isRow = (name, row) => name === region && (!source || table.sources[row] === source);
  const place = [table.names.findIndex(isRow), table.days.indexOf(day)];
  if (place.includes(-1) || answer.rows === "account") return;
  grid.mark(place);
  open(place);
}

function open([row, column]) {
  details(cellPlace, { region: table.names[row], day: table.days[column], account: answer.account, pattern: answer.pattern, source: table.sources[row] });
}

grid.onOpen = (place) => {
  const [name, source] = [table.names[place[0]], table.sources[place[0]]];
  if (answer.rows === "account") {
    showAccount(name);
    return;
  }
  opened = `${name}/${table.days[place[1]]}${source === "lookup_events" ? "" : `/${source}`}`;
  rememberFilters();
  open(place);
};

function showAccount(name) {
  field("account").value = name;
  field("region").value = "";
  opened = null;
  rememberFilters();
  load();
}

let timer = 0;
// Arrow keys repeat quickly: request data only after a pause. Until then the buttons of the last choice are disabled.
grid.onSelect = ({ top, bottom, left, right }) => {
  clearTimeout(timer);
  choicePlace.inert = true;
  if (answer.rows === "account") return;
  const chosen = new Map();
  for (let row = top; row <= bottom; row += 1) {
    const source = table.sources[row];
    if (!chosen.has(source)) chosen.set(source, { source, regions: [], days: table.days.slice(left, right + 1), states: new Set() });
    chosen.get(source).regions.push(table.names[row]);
    for (let column = left; column <= right; column += 1) chosen.get(source).states.add(table.stateAt(row, column));
  }
  timer = setTimeout(() => {
    choicePlace.inert = false;
    const places = [...chosen.keys()].map(() => make("div"));
    choicePlace.replaceChildren(...places);
    // Each source has a DAG of its own.
    for (const [number, each] of [...chosen.values()].entries()) {
      selected(places[number], each, { account: answer.account, pattern: answer.pattern, mayBackfill: answer.may_backfill });
    }
  }, 150);
};

filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("change", (event) => {
  rememberFilters();
  if (event.target.name !== "region") load();
});
field("region").addEventListener("input", () => {
  rememberFilters();
  if (answer) draw();
});
for (const button of document.querySelectorAll("[data-days]")) {
  button.addEventListener("click", () => {
    field("first").value = before(field("last").value || yesterday(), button.dataset.days);
    rememberFilters();
    load();
  });
}
addEventListener("hashchange", load);
load();
