import { BEHIND, LIVE, readLiveSquares } from "./live.js";
import { SOURCES } from "./words.js";

const NO_CELL = -1;

// The answer's cells as rows with an array for each column; rows without a cell in these days are left out. A row is
// a region, or an account if all accounts are shown.
export function readRows(answer) {
  const { table: { names, sources, columns }, columns: [, , ...figures] } = answer;
  const rows = names.map((name, row) => makeRow(answer, name, sources[row]));
  columns.forEach((ofDay, day) => {
    if (!ofDay.length) return;
    const [row, state, ...values] = ofDay;
    for (let cell = 0; cell < row.length; cell += 1) {
      const found = rows[row[cell]];
      found.states[day] = state[cell];
      found.cells += 1;
      figures.forEach((figure, number) => { found.figures[figure][day] = values[number][cell]; });
      found.events += found.figures.looked_up[day];
    }
  });
  if (answer.live) addLive(rows, answer);
  return rows.filter(({ cells }) => cells);
}

function makeRow({ table: { days }, columns: [, , ...figures], account_names: accountNames, rows: kind }, name, source) {
  return {
    name,
    source,
    title: kind === "account" ? accountNames[name] ?? "" : "",
    states: new Int8Array(days.length).fill(NO_CELL),
    figures: Object.fromEntries(figures.map((figure) => [figure, new Float64Array(days.length)])),
    events: 0,
    cells: 0,
    live: null,
  };
}

// A live square is only where the day has no cell yet.
function addLive(rows, answer) {
  const { live, states, table: { days } } = answer;
  const known = new Map(rows.map((row) => [`${row.source} ${row.name}`, row]));
  for (const square of readLiveSquares(live)) {
    const key = `${square.source} ${square.name}`;
    if (!known.has(key)) known.set(key, rows[rows.push(makeRow(answer, square.name, square.source)) - 1]);
    const row = known.get(key);
    row.live = square;
    for (const column of live.days.map((day) => days.indexOf(day))) {
      if (row.states[column] !== NO_CELL) continue;
      row.states[column] = states.length + (square.behind ? 1 : 0);
      row.cells += 1;
    }
  }
}

// A comma separates alternatives; each alternative is words that a row's id or name all contains.
export function readSearch(text) {
  const alternatives = text.toLowerCase().split(",").map((each) => each.split(/\s+/).filter(Boolean)).filter((words) => words.length);
  return (row) => {
    const content = `${row.title} ${row.name}`.toLowerCase();
    return !alternatives.length || alternatives.some((words) => words.every((word) => content.includes(word)));
  };
}

const describeAccount = ({ title, name }) => (title ? `${title} ${name}` : name);

// The rows that match a search, with their sums.
export class Table {
  constructor(answer, rows, search) {
    this.days = answer.table.days;
    this.states = answer.live ? [...answer.states, LIVE, BEHIND] : answer.states;
    this.planned = answer.states.length;
    this.today = answer.live?.days[0];
    this.kind = answer.rows;
    this.figureLabels = answer.labels;
    this.rows = rows.filter(readSearch(search));
    this.rows.sort((a, b) => describeAccount(a).localeCompare(describeAccount(b)) || a.source.localeCompare(b.source));
    this.names = this.rows.map(({ name }) => name);
    this.sources = this.rows.map(({ source }) => source);
    this.shownSources = [...new Set(this.sources)].sort();
    this.endings = this.rows.map(({ source }) => (this.shownSources.length > 1 ? ` · ${SOURCES[source].short}` : ""));
    this.labels = this.rows.map((row, number) => `${describeAccount(row)}${this.endings[number]}`);
    this.events = this.rows.map(({ events }) => events);
    this.#count(answer);
  }

  #count(answer) {
    const counts = new Array(this.states.length).fill(0);
    const perDay = new Map(this.shownSources.map((source) => [source, new Float64Array(this.days.length)]));
    this.totals = new Map(this.shownSources.map((source) => [source, Object.fromEntries(Object.keys(answer.labels[source]).map((figure) => [figure, 0]))]));
    for (const { source, states, figures, live } of this.rows) {
      const [days, totals] = [perDay.get(source), this.totals.get(source)];
      for (let day = 0; day < states.length; day += 1) {
        if (states[day] === NO_CELL) continue;
        counts[states[day]] += 1;
        if (this.days[day] === this.today) days[day] += live?.events ?? 0;
        days[day] += figures.looked_up[day];
        for (const figure in totals) totals[figure] += figures[figure][day];
      }
    }
    const named = this.states.map((name, state) => [name, counts[state]]);
    this.counts = new Map(named.slice(0, this.planned));
    this.liveCounts = new Map(named.slice(this.planned));
    // Both sources have the same management events, so their sum would count these twice.
    this.perDay = Float64Array.from(this.days, (_, column) => Math.max(0, ...[...perDay.values()].map((each) => each[column])));
  }

  stateAt(row, column) {
    const state = this.rows[row].states[column];
    return state === NO_CELL ? "none" : this.states[state];
  }

  // What live runs have loaded of a square; null if it is not live.
  liveAt(row, column) {
    return this.rows[row].states[column] >= this.planned ? this.rows[row].live : null;
  }

  figureAt(figure, row, column) {
    return this.rows[row].figures[figure][column];
  }
}
