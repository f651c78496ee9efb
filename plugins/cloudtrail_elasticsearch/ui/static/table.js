import { SOURCES } from "./words.js";

// The coverage answer as a table of rows by days. A row is a region, or an account if all accounts are shown.
export class Table {
  constructor(answer, wanted) {
    this.days = answer.table.days;
    this.states = answer.states;
    this.kind = answer.rows;
    this.figureLabels = answer.labels;
    const { regions: names, sources, region: row, day, state, figures } = answer.table;
    const words = wanted.toLowerCase().split(/[\s,]+/).filter(Boolean);
    const shown = names.map((name) => !words.length || words.some((word) => name.includes(word)));
    this.figures = figures;
    this.state = state;
    const events = names.map(() => 0);
    row.forEach((number, cell) => { events[number] += figures.looked_up[cell]; });
    const order = names.map((_, number) => number).filter((number) => shown[number]);
    order.sort((a, b) => names[a].localeCompare(names[b]) || sources[a].localeCompare(sources[b]));
    this.names = order.map((number) => names[number]);
    this.sources = order.map((number) => sources[number]);
    this.shownSources = [...new Set(this.sources)].sort();
    this.labels = order.map((number) => (this.shownSources.length > 1 ? `${names[number]} · ${SOURCES[sources[number]].short}` : names[number]));
    this.events = order.map((number) => events[number]);
    const rows = new Map(order.map((number, place) => [number, place]));
    this.cells = this.names.map(() => new Int32Array(this.days.length).fill(-1));
    this.counts = new Map(this.states.map((name) => [name, 0]));
    this.totals = new Map(this.shownSources.map((source) => [source, Object.fromEntries(Object.keys(answer.labels[source]).map((figure) => [figure, 0]))]));
    const perDay = new Map(this.shownSources.map((source) => [source, new Float64Array(this.days.length)]));
    for (let cell = 0; cell < row.length; cell += 1) {
      const place = rows.get(row[cell]);
      if (place === undefined) continue;
      this.cells[place][day[cell]] = cell;
      const source = this.sources[place];
      perDay.get(source)[day[cell]] += figures.looked_up[cell];
      const name = this.states[state[cell]];
      this.counts.set(name, this.counts.get(name) + 1);
      for (const figure of Object.keys(this.totals.get(source))) this.totals.get(source)[figure] += figures[figure][cell];
    }
    // Both sources have the same management events, so their sum would count these twice.
    this.perDay = Float64Array.from(this.days, (_, column) => Math.max(0, ...[...perDay.values()].map((each) => each[column])));
  }

  stateAt(row, column) {
    const cell = this.cells[row][column];
    return cell < 0 ? "none" : this.states[this.state[cell]];
  }

  figureAt(figure, row, column) {
    const cell = this.cells[row][column];
    return cell < 0 ? 0 : this.figures[figure][cell];
  }
}
