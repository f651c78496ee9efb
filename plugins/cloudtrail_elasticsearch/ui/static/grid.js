import { brief, count, make } from "./elements.js";

const MONTH = new Intl.DateTimeFormat("en", { month: "short", year: "numeric", timeZone: "UTC" });

// Cells are as wide as possible with all days in view, but never too narrow to see and to click.
const WIDEST = 18;
const NARROWEST = 6;
const AIRY = 10;
const LONGEST_NAME = 200;
const MONTH_WIDTH = 64;
const SUMS_WIDTH = 66;

// The heat map: one cell has the focus; arrow keys move the focus, and with Shift they select cells.
export class Grid {
  constructor(place, tip) {
    this.place = place;
    this.tip = tip;
    this.onSelect = () => {};
    this.onOpen = () => {};
    place.addEventListener("keydown", (event) => this.#key(event));
    place.addEventListener("pointerdown", (event) => this.#down(event));
    place.addEventListener("pointerover", (event) => this.#over(event));
    place.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    place.addEventListener("focusin", (event) => this.#showTip(event.target.closest("td[data-c]")));
    place.addEventListener("focusout", () => { this.tip.hidden = true; });
    place.addEventListener("scroll", () => { this.tip.hidden = true; });
    addEventListener("pointerup", () => { this.dragging = false; });
    new ResizeObserver(() => this.#fit()).observe(place);
  }

  // If the table has no rows, `empty` is shown instead.
  draw(table, empty) {
    this.table = table;
    this.anchor = this.current = [0, table.days.length - 1];
    this.names = this.#width(table.labels);
    const most = Math.max(1, ...table.perDay);
    this.rows = table.labels.map((label, row) => this.#row(label, row));
    const grid = make("table", { class: "grid", role: "grid", "aria-label": `Coverage by ${table.kind} and day`, "aria-multiselectable": "true" },
      make("thead", {}, this.#months(), this.#bars(most)),
      make("tbody", {}, ...this.rows));
    this.frame = make("div", { class: "frame", hidden: true });
    this.#fit();
    this.place.replaceChildren(...table.names.length ? [grid, this.frame] : [empty]);
    if (table.names.length) this.mark(this.current);
    this.place.scrollLeft = this.place.scrollWidth;
  }

  #width(names) {
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `12px ${getComputedStyle(this.place).fontFamily}`;
    const widest = Math.max(...[...names, "events per day"].map((name) => pen.measureText(name).width));
    return Math.min(LONGEST_NAME, Math.ceil(widest)) + 16;
  }

  #fit() {
    if (!this.table) return;
    const step = Math.floor((this.place.clientWidth - this.names - SUMS_WIDTH) / this.table.days.length);
    const gap = step >= AIRY ? 2 : 1;
    const { style } = document.documentElement;
    style.setProperty("--gap", `${gap}px`);
    style.setProperty("--size", `${Math.min(WIDEST, Math.max(NARROWEST, step - gap))}px`);
    style.setProperty("--names", `${this.names}px`);
    for (const [cell, name] of this.months) name.hidden = cell.colSpan * Math.max(step, NARROWEST + gap) < MONTH_WIDTH;
    if (this.frame?.isConnected) this.#enclose();
  }

  #months() {
    const row = make("tr", { class: "months" }, make("th"));
    this.months = [];
    let month = null;
    for (const day of this.table.days) {
      const name = day.slice(0, 7);
      if (name !== month?.name) {
        const words = make("span", {}, MONTH.format(new Date(`${day}T00:00:00Z`)));
        month = { name, cell: make("th", {}, words) };
        this.months.push([month.cell, words]);
        row.append(month.cell);
      } else month.cell.colSpan += 1;
    }
    return row;
  }

  #bars(most) {
    const row = make("tr", { class: "bars" }, make("th", {}, "events per day"));
    this.table.perDay.forEach((events, day) => {
      const bar = make("i");
      bar.style.height = `${Math.round((42 * events) / most)}px`;
      const place = make("td", {}, bar);
      place.dataset.d = day;
      row.append(place);
    });
    return row;
  }

  #row(label, row) {
    const line = make("tr", {}, make("th", { scope: "row", title: label }, label));
    const { table } = this;
    for (let column = 0; column < table.days.length; column += 1) {
      const cell = document.createElement("td");
      cell.className = `s-${table.stateAt(row, column)}`;
      cell.dataset.r = row;
      cell.dataset.c = column;
      cell.tabIndex = -1;
      line.append(cell);
    }
    line.append(make("th", { class: "sum" }, brief(table.events[row])));
    return line;
  }

  cell([row, column]) {
    return this.rows[row].children[column + 1];
  }

  describe([row, column]) {
    const { table } = this;
    const state = table.stateAt(row, column);
    const head = `${table.labels[row]}, ${table.days[column]}: ${state === "none" ? "not planned" : state}`;
    if (state === "none") return head;
    return `${head}; ${this.#figures([row, column]).map(([name, number]) => `${number} ${name}`).join(", ")}`;
  }

  #figures([row, column]) {
    const { table } = this;
    const labels = table.figureLabels[table.sources[row]];
    return Object.entries(labels).map(([figure, label]) => [label, count(table.figureAt(figure, row, column))]);
  }

  #describeTip([row, column]) {
    const { table } = this;
    const state = table.stateAt(row, column);
    const figures = state === "none" ? [] : this.#figures([row, column]).flatMap(([name, number]) => [make("dt", {}, name), make("dd", {}, number)]);
    return [
      make("b", {}, `${table.labels[row]}, ${table.days[column]}`),
      make("span", { class: "state" }, make("i", { class: `s-${state}` }), state === "none" ? "not planned" : state),
      ...(figures.length ? [make("dl", {}, ...figures)] : []),
    ];
  }

  selection() {
    const [top, bottom] = [this.anchor[0], this.current[0]].sort((a, b) => a - b);
    const [left, right] = [this.anchor[1], this.current[1]].sort((a, b) => a - b);
    return { top, bottom, left, right };
  }

  mark(to, extend = false) {
    if (!extend) this.anchor = to;
    const old = this.place.querySelector("td.current");
    if (old) { old.classList.remove("current"); old.tabIndex = -1; }
    this.current = to;
    const cell = this.cell(to);
    cell.classList.add("current");
    cell.tabIndex = 0;
    cell.setAttribute("aria-label", this.describe(to));
    for (const each of this.place.querySelectorAll("td.selected")) { each.classList.remove("selected"); each.removeAttribute("aria-selected"); }
    const { top, bottom, left, right } = this.selection();
    this.#enclose();
    if (top === bottom && left === right) return;
    for (let row = top; row <= bottom; row += 1) {
      for (let column = left; column <= right; column += 1) {
        const each = this.cell([row, column]);
        each.classList.add("selected");
        each.setAttribute("aria-selected", "true");
      }
    }
  }

  // One frame around all selected cells: a frame around each one would hide narrow cells.
  #enclose() {
    const { top, bottom, left, right } = this.selection();
    this.frame.hidden = top === bottom && left === right;
    if (this.frame.hidden) return;
    const [from, to] = [this.cell([top, left]), this.cell([bottom, right])];
    const { style } = this.frame;
    style.left = `${from.offsetLeft - 3}px`;
    style.top = `${from.offsetTop - 3}px`;
    style.width = `${to.offsetLeft + to.offsetWidth - from.offsetLeft + 6}px`;
    style.height = `${to.offsetTop + to.offsetHeight - from.offsetTop + 6}px`;
  }

  go(to, extend) {
    const row = Math.min(Math.max(to[0], 0), this.table.names.length - 1);
    const column = Math.min(Math.max(to[1], 0), this.table.days.length - 1);
    this.mark([row, column], extend);
    this.cell([row, column]).focus({ preventScroll: false });
    this.onSelect(this.selection());
  }

  #key(event) {
    if (!this.table?.names.length) return;
    const [row, column] = this.current;
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [0, -7], PageDown: [0, 7] };
    if (event.key in moves) this.go([row + moves[event.key][0], column + moves[event.key][1]], event.shiftKey);
    else if (event.key === "Home") this.go([row, 0], event.shiftKey);
    else if (event.key === "End") this.go([row, this.table.days.length - 1], event.shiftKey);
    else if (event.key === "Enter" || event.key === " ") this.onOpen(this.current);
    else if (event.key === "Escape") {
      this.go(this.current, false);
      this.tip.hidden = true;
    } else return;
    event.preventDefault();
  }

  #down(event) {
    const cell = event.target.closest("td[data-c]");
    if (!cell || event.button) return;
    event.preventDefault();
    this.dragging = true;
    this.go([+cell.dataset.r, +cell.dataset.c], event.shiftKey);
    if (!event.shiftKey) this.onOpen(this.current);
  }

  #over(event) {
    const cell = event.target.closest("td[data-c]");
    this.#showTip(cell ?? event.target.closest("td[data-d]"));
    if (cell && this.dragging) this.go([+cell.dataset.r, +cell.dataset.c], true);
  }

  #showTip(cell) {
    this.tip.hidden = !cell;
    if (!cell) return;
    const { c: column, r: row, d: day } = cell.dataset;
    this.tip.replaceChildren(...(day === undefined ? this.#describeTip([+row, +column])
      : [make("b", {}, this.table.days[day]), make("span", {}, `${count(this.table.perDay[day])} events`)]));
    const box = cell.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const right = Math.min(innerWidth, this.place.getBoundingClientRect().right) - 8;
    this.tip.style.left = `${Math.max(8, Math.min(box.left, right - width))}px`;
    this.tip.style.top = `${box.bottom + 8 + height > innerHeight ? Math.max(8, box.top - height - 8) : box.bottom + 8}px`;
  }
}
