// The answer's columns as a table of regions by days.
export class Table {
  constructor(answer, wanted) {
    this.days = answer.table.days;
    this.states = answer.states;
    const { regions, region, day, state, figures } = answer.table;
    const words = wanted.toLowerCase().split(/[\s,]+/).filter(Boolean);
    const shown = regions.map((name) => !words.length || words.some((word) => name.includes(word)));
    this.figures = figures;
    this.state = state;
    const events = regions.map(() => 0);
    region.forEach((number, cell) => { events[number] += figures.looked_up[cell]; });
    const order = regions.map((_, number) => number).filter((number) => shown[number]);
    order.sort((a, b) => regions[a].localeCompare(regions[b]));
    this.regions = order.map((number) => regions[number]);
    this.events = order.map((number) => events[number]);
    const rows = new Map(order.map((number, row) => [number, row]));
    this.cells = this.regions.map(() => new Int32Array(this.days.length).fill(-1));
    this.perDay = new Float64Array(this.days.length);
    this.counts = new Map(this.states.map((name) => [name, 0]));
    this.totals = { looked_up: 0, indexed: 0, quarantined: 0 };
    for (let cell = 0; cell < region.length; cell += 1) {
      const row = rows.get(region[cell]);
      if (row === undefined) continue;
      this.cells[row][day[cell]] = cell;
      this.perDay[day[cell]] += figures.looked_up[cell];
      const name = this.states[state[cell]];
      this.counts.set(name, this.counts.get(name) + 1);
      for (const figure of Object.keys(this.totals)) this.totals[figure] += figures[figure][cell];
    }
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
