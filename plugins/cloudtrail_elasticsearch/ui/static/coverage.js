import { before, forget, readLatest, readParams, remember, setLatest, step, toStored } from "./address.js";
import { get } from "./api.js";
import { explainToday, findChosenRows, isOnlyToday, showBackfills, stateChoice } from "./choice.js";
import { make } from "./elements.js";
import { ALL_ACCOUNTS, field, fillFilters, fillRange, filters, nameAccount, readFilters } from "./filters.js";
import { firstSteps } from "./first.js";
import { leaveFrames } from "./frame.js";
import { Grid } from "./grid.js";
import { showLive } from "./live.js";
import { Loader } from "./loader.js";
import { Refresher } from "./refresh.js";
import { busiest, details, refreshDetails } from "./side.js";
import { readRows, Table } from "./table.js";
import { showTotals } from "./totals.js";

const find = (id) => document.getElementById(id);
const cellPlace = make("div");
const statesPlace = make("div");
const choicePlace = make("div");
const grid = new Grid(find("map"), find("tip"));
const loader = new Loader("Loading the coverage …", find("map"), () => {
  filters.reset();
  forget();
  load();
});
let answer = null;
let rows = [];
let table = null;
let opened = null;
let states = [];
let selection = null;
let arrival = null;
let asked = null;
let busiestPlace = make("section");
const refresher = new Refresher(() => refresh());

leaveFrames();

function readState() {
  const params = readFilters();
  if (opened) params.set("cell", opened);
  return params;
}

function load() {
  const params = readParams();
  const search = params.get("search") ?? "";
  opened = params.get("cell");
  params.delete("search");
  params.delete("cell");
  asked = params;
  refresher.restart(false);
  const began = performance.now();
  return loader.load((signal) => get("coverage", params, signal), (found) => {
    const got = performance.now();
    answer = found;
    rows = readRows(answer);
    states = [];
    setLatest(answer.latest);
    fillFilters(answer, search);
    draw();
    document.body.offsetHeight;
    performance.measure("coverage-answer", { start: began, end: got });
    performance.measure("coverage-draw", { start: got, end: performance.now() });
    refresher.restart(Boolean(answer.live));
    return answer.first_command ? "empty" : "shown";
  });
}

// Live squares change every few minutes, so the page then shows new data by itself, and leaves everything else as it is.
async function refresh() {
  const latestLoad = loader.request;
  let [found, trouble] = [null, ""];
  try {
    found = await get("coverage", toStored(asked), latestLoad.signal);
  } catch (error) {
    trouble = error.message;
  }
  if (loader.request !== latestLoad) return;
  if (found) update(found);
  showLive(find("live"), answer.live, nameOf, trouble);
  refresher.restart(Boolean(answer.live));
}

function update(found) {
  const [shown, { first, last }] = [table, answer];
  answer = found;
  setLatest(answer.latest);
  rows = readRows(answer);
  if (answer.first !== first || answer.last !== last) fillRange(answer);
  table = new Table(answer, rows, field("search").value);
  showSums();
  const isSame = [shown.labels, shown.days].join() === [table.labels, table.days].join();
  if (isSame) grid.update(table);
  else redraw();
  const cell = findOpened();
  if (cell && table.liveAt(...cell)) refreshDetails(cellPlace, askAbout(cell));
}

function redraw() {
  const kept = grid.remember();
  grid.draw(table, nothing());
  const isRestored = grid.restore(kept);
  if (!selection) return;
  selection = isRestored ? grid.selection() : null;
  showChoice();
}

const isOverview = () => answer.rows === "account";
const nameOf = (id) => nameAccount(answer, id);

function showSums() {
  showTotals(find("totals"), find("legend"), table);
  const found = busiest(table);
  // Screen readers announce each change.
  if (found.isEqualNode(busiestPlace)) return;
  busiestPlace.replaceWith(found);
  busiestPlace = found;
}

function draw() {
  table = new Table(answer, rows, field("search").value);
  find("account").hidden = isOverview() || answer.accounts.length < 2;
  find("account").querySelector("b").textContent = nameOf(answer.account);
  showLive(find("live"), answer.live, nameOf);
  showSums();
  selection = null;
  find("side").replaceChildren(cellPlace, choicePlace, statesPlace, busiestPlace);
  choicePlace.replaceChildren();
  statesPlace.replaceChildren(stateChoice(states, (checked) => { states = checked; showChoice(); }));
  cellPlace.replaceChildren(make("section", {}, make("p", { class: "hint" }, explain())));
  grid.draw(table, answer.first_command ? firstSteps(answer, load) : nothing());
  reopen();
  if (states.length) showChoice();
}

function explain() {
  const select = "To load cells again, select them: drag over them, hold Shift and click or use the arrow keys, or click the bar of a day";
  if (isOverview()) return `Each row is an account. A cell has the state of the region that needs most attention. Click a row to see the account's regions. Or move to it with the arrow keys and press Enter. ${select}.`;
  return `Click a cell to see its figures, its task and its documents. Or move to it with the arrow keys and press Enter. ${select} or the name of a row.`;
}

function nothing() {
  if (!rows.length) return make("p", { class: "empty" }, "The ledger has no cells here. Choose other days, another account or another index. Cells appear when the DAG loads them.");
  const clear = make("button", { type: "button" }, "Clear the search");
  clear.addEventListener("click", clearSearch);
  return make("div", { class: "empty" }, make("p", {}, `No ${answer.rows} here matches the search.`), clear);
}

function findPlace([name, day, source]) {
  const isRow = (each, row) => each === name && (!source || table.sources[row] === source);
  return [table.names.findIndex(isRow), table.days.indexOf(day)];
}

function findOpened() {
  const place = findPlace(opened?.split("/") ?? []);
  return place.includes(-1) || isOverview() ? null : place;
}

// A user who returns from a task's page or from an account finds the same cell again.
function reopen() {
  const [row, column] = findPlace(arrival ?? opened?.split("/") ?? []);
  const hasArrived = Boolean(arrival);
  arrival = null;
  if (hasArrived && table.names.length) {
    grid.mark([Math.max(row, 0), Math.max(column, 0)]);
    grid.cell(grid.current).focus();
  } else if (row >= 0 && column >= 0 && !isOverview()) {
    grid.mark([row, column]);
    open([row, column]);
  }
}

function askAbout([row, column]) {
  const accountLabel = answer.accounts.length > 1 ? nameOf(answer.account) : "";
  return { region: table.names[row], day: table.days[column], account: answer.account, accountLabel, pattern: answer.pattern, source: table.sources[row] };
}

const open = (place) => details(cellPlace, askAbout(place));

grid.onOpen = (place) => {
  const [name, source, day] = [table.names[place[0]], table.sources[place[0]], table.days[place[1]]];
  if (isOverview()) {
    showAccount(name, day);
    return;
  }
  opened = `${name}/${day}${source === "lookup_events" ? "" : `/${source}`}`;
  remember(readState());
  open(place);
};

grid.onName = (row) => {
  if (isOverview()) showAccount(table.names[row], table.days.at(-1));
  else grid.selectBetween([row, 0], [row, table.days.length - 1]);
};

function showAccount(name, day) {
  const search = field("search").value;
  remember(readState());
  field("account").value = name;
  field("search").value = "";
  opened = null;
  arrival = [null, day];
  step(readState(), { search, day });
  load();
}

function showOverview() {
  const { search = "", day = table.days.at(-1) } = history.state ?? {};
  arrival = [answer.account, day];
  field("account").value = ALL_ACCOUNTS;
  field("search").value = search;
  opened = null;
  step(readState(), null);
  load();
}

let timer = 0;
// Arrow keys repeat quickly: request data only after a pause. Until then the buttons of the last choice are disabled.
grid.onSelect = (selected) => {
  selection = selected;
  showChoice();
};

function showChoice() {
  clearTimeout(timer);
  choicePlace.inert = true;
  grid.choose(states);
  const chosen = findChosenRows(table, selection, states);
  timer = setTimeout(() => {
    choicePlace.inert = false;
    const places = [...chosen.keys()].map(() => make("div"));
    choicePlace.replaceChildren(...(isOnlyToday(table, selection) ? [explainToday()] : places));
    // Each source has a DAG of its own.
    for (const [number, each] of [...chosen.values()].entries()) {
      showBackfills(places[number], each, { account: answer.account, pattern: answer.pattern, kind: answer.rows, mayBackfill: answer.may_backfill });
    }
  }, 150);
}

function clearSearch() {
  field("search").value = "";
  remember(readState());
  draw();
  field("search").focus();
}

filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("change", (event) => {
  if (event.target.name === "search") return;
  remember(readState());
  load();
});
field("search").addEventListener("input", () => {
  opened = null;
  remember(readState());
  if (answer) draw();
});
field("search").addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !answer) return;
  event.preventDefault();
  clearSearch();
});
find("back").addEventListener("click", (event) => {
  event.preventDefault();
  showOverview();
});
for (const button of document.querySelectorAll("[data-days]")) {
  button.addEventListener("click", () => {
    field("first").value = before(field("last").value || readLatest(), button.dataset.days);
    remember(readState());
    load();
  });
}
addEventListener("hashchange", load);
load();
