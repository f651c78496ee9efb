import { asked, before, length, remember } from "./address.js";
import { get } from "./api.js";
import { brief, count, make } from "./elements.js";
import { leaveFrames } from "./frame.js";
import { Grid } from "./grid.js";
import { busiest, details, selected } from "./side.js";
import { Table } from "./table.js";
import { followTheme } from "./theme.js";

const find = (id) => document.getElementById(id);
const filters = find("filters");
const field = (name) => filters.elements.namedItem(name);
const cellPlace = make("div");
const choicePlace = make("div");
const grid = new Grid(find("map"), find("tip"));
let answer = null;
let table = null;
let opened = null;

followTheme(find("theme"));
leaveFrames();

function note() {
  const params = new URLSearchParams();
  for (const name of ["first", "last", "account", "pattern", "region"]) if (field(name).value) params.set(name, field(name).value);
  if (opened) params.set("cell", opened);
  remember(params);
}

async function load() {
  find("map").setAttribute("aria-busy", "true");
  const params = asked();
  const region = params.get("region") ?? "";
  opened = params.get("cell");
  params.delete("region");
  params.delete("cell");
  try {
    const began = performance.now();
    answer = await get("coverage", params);
    const got = performance.now();
    fill(region);
    draw();
    document.body.offsetHeight;
    performance.measure("coverage-answer", { start: began, end: got });
    performance.measure("coverage-draw", { start: got, end: performance.now() });
    find("problem").hidden = true;
  } catch (error) {
    find("problem").textContent = error.message;
    find("problem").hidden = false;
    find("map").setAttribute("aria-busy", "false");
  }
  document.body.dataset.loaded = "true";
}

function fill(region) {
  for (const [name, known] of [["account", answer.accounts], ["pattern", answer.patterns]]) {
    const names = known.includes(answer[name]) || !answer[name] ? known : [answer[name], ...known];
    field(name).replaceChildren(...names.map((each) => make("option", { value: each }, each)));
    field(name).value = answer[name];
  }
  field("first").value = answer.first;
  field("last").value = answer.last;
  field("region").value = region;
  const days = length(answer.first, answer.last);
  for (const button of document.querySelectorAll("[data-days]")) button.setAttribute("aria-pressed", String(+button.dataset.days === days));
}

function draw() {
  table = new Table(answer, field("region").value);
  const planned = [...table.counts.values()].reduce((sum, each) => sum + each, 0);
  const proven = planned ? (table.counts.get("complete") + table.counts.get("quiet") + table.counts.get("quarantined")) / planned : 0;
  const facts = [
    [planned ? `${Math.floor(1000 * proven) / 10} %` : "–", "of the cells proven", `${count(planned)} cells`],
    [brief(table.totals.looked_up), "events looked up", count(table.totals.looked_up)],
    [brief(table.totals.indexed), "indexed", count(table.totals.indexed)],
    [brief(table.totals.quarantined), "quarantined", count(table.totals.quarantined)],
    [count(table.regions.length), "regions", ""],
  ];
  find("totals").replaceChildren(...facts.map(([value, name, title]) => make("div", { class: "total", title }, make("b", {}, value), make("span", {}, name))));
  const shown = [...table.counts, ["none", table.regions.length * table.days.length - planned]];
  find("legend").replaceChildren(...shown.map(([name, number]) => make("li", { "data-state": name },
    make("i", { class: `s-${name}` }), name === "none" ? "nothing known" : name, make("b", {}, count(number)))));
  find("side").replaceChildren(cellPlace, choicePlace, busiest(table));
  choicePlace.replaceChildren();
  cellPlace.replaceChildren(make("section", {}, make("p", { class: "hint" },
    "Click a cell, or move by the arrow keys and press Enter, for its figures, its task and its documents. Drag, or hold Shift, to choose cells to load again.")));
  grid.draw(table);
  reopen();
}

// Who comes back from the task of a cell finds the cell as it was left.
function reopen() {
  const [region, day] = opened?.split("/") ?? [];
  const place = [table.regions.indexOf(region), table.days.indexOf(day)];
  if (place.includes(-1)) return;
  grid.mark(place);
  open(place);
}

function open([row, column]) {
  details(cellPlace, { region: table.regions[row], day: table.days[column], account: answer.account, pattern: answer.pattern });
}

grid.onOpen = (place) => {
  opened = `${table.regions[place[0]]}/${table.days[place[1]]}`;
  note();
  open(place);
};

let late = 0;
// The keyboard moves on quickly: only where it rests is asked about. Until then no button acts on the last choice.
grid.onSelect = ({ top, bottom, left, right }) => {
  clearTimeout(late);
  choicePlace.inert = true;
  const states = new Set();
  for (let row = top; row <= bottom; row += 1) for (let column = left; column <= right; column += 1) states.add(table.stateAt(row, column));
  const chosen = { regions: table.regions.slice(top, bottom + 1), days: table.days.slice(left, right + 1), states };
  late = setTimeout(() => {
    choicePlace.inert = false;
    selected(choicePlace, chosen, { pattern: answer.pattern, mayBackfill: answer.may_backfill });
  }, 150);
};

filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("change", (event) => {
  note();
  if (event.target.name !== "region") load();
});
field("region").addEventListener("input", () => { note(); draw(); });
for (const button of document.querySelectorAll("[data-days]")) {
  button.addEventListener("click", () => {
    field("first").value = before(field("last").value, button.dataset.days);
    note();
    load();
  });
}
addEventListener("hashchange", load);
load();
