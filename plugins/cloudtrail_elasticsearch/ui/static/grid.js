import { describe, describeTip } from "./cell.js";
import { brief, count, make } from "./elements.js";
import { Heads } from "./heads.js";

// Cells are as wide as possible with all days in view, but never too narrow to see and to click.
const WIDEST = 18;
const NARROWEST = 6;
const AIRY = 10;
const LONGEST_NAME = 320;
const WIDEST_NAMES = 0.45;
const SUMS_WIDTH = 66;

// The cells that are made with the table. Those of further rows are made when the rows come near the window: a year of
// an organization has more cells than a browser lays out in a second.
const CELLS_AT_ONCE = 16_000;
const NEAR = "600px 0px";

const TEMPLATE = document.createElement("td");
TEMPLATE.tabIndex = -1;

// The heat map: one cell has the focus; arrow keys move the focus, and with Shift they select cells.
export class Grid {
  constructor(place, tip) {
    this.place = place;
    this.tip = tip;
    this.onSelect = () => {};
    this.onOpen = () => {};
    this.onName = () => {};
    place.addEventListener("keydown", (event) => this.#key(event));
    place.addEventListener("pointerdown", (event) => this.#down(event));
    place.addEventListener("pointerover", (event) => this.#over(event));
    place.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    place.addEventListener("focusin", (event) => this.#showTip(event.target.closest("td[data-c]")));
    place.addEventListener("focusout", () => { this.tip.hidden = true; });
    place.addEventListener("scroll", () => { this.tip.hidden = true; });
    place.addEventListener("click", (event) => this.#clickHead(event));
    addEventListener("pointerup", () => this.#up());
    new ResizeObserver(() => this.#fit()).observe(place);
  }

  // If the table has no rows, `empty` is shown instead.
  draw(table, empty) {
    this.table = table;
    this.anchor = this.current = [0, table.days.length - 1];
    this.names = this.#width(table.labels);
    this.heads = new Heads(table);
    this.rows = table.labels.map((label, row) => this.#row(label, row));
    const grid = make("table", { class: "grid", role: "grid", "aria-label": `Coverage by ${table.kind} and day`, "aria-multiselectable": "true" },
      make("thead", {}, ...this.heads.rows),
      make("tbody", {}, ...this.rows));
    grid.classList.toggle("of-accounts", table.kind === "account");
    this.#fillRows();
    this.frame = make("div", { class: "frame", hidden: true });
    this.#fit();
    this.place.replaceChildren(...table.names.length ? [grid, this.frame] : [empty]);
    if (table.names.length) this.mark(this.current);
    this.place.scrollLeft = this.place.scrollWidth;
  }

  // Shows new figures of the same rows and days; the focus, the selection and the scroll position stay.
  update(table) {
    const shown = this.table;
    this.table = table;
    this.heads.drawBars(table);
    for (const [row, line] of this.rows.entries()) line.lastElementChild.textContent = brief(table.events[row]);
    for (const row of this.filled) {
      for (let column = 0; column < table.days.length; column += 1) {
        const [before, after] = [shown.stateAt(row, column), table.stateAt(row, column)];
        if (before !== after) this.cell([row, column]).classList.replace(`s-${before}`, `s-${after}`);
      }
    }
    if (table.names.length) this.cell(this.current).setAttribute("aria-label", describe(table, this.current));
    if (!this.tip.hidden && this.tipped) this.#showTip(this.tipped);
  }

  // The place of the focus, the selection and the scroll position, by names, so that another table can restore it.
  remember() {
    const name = ([row, column]) => ({ row: this.table.labels[row], day: this.table.days[column] });
    const { scrollLeft, scrollTop } = this.place;
    return { anchor: name(this.anchor), current: name(this.current), hasFocus: this.place.contains(document.activeElement), scrollLeft, scrollTop };
  }

  restore({ anchor, current, hasFocus, scrollLeft, scrollTop }) {
    const find = ({ row, day }) => [this.table.labels.indexOf(row), this.table.days.indexOf(day)];
    const [from, to] = [find(anchor), find(current)];
    if (from.includes(-1) || to.includes(-1)) return false;
    this.anchor = from;
    this.mark(to, true);
    if (hasFocus) this.cell(to).focus({ preventScroll: true });
    Object.assign(this.place, { scrollLeft, scrollTop });
    return true;
  }

  #width(names) {
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `12px ${getComputedStyle(this.place).fontFamily}`;
    const widest = Math.max(...[...names, "events per day"].map((name) => pen.measureText(name).width));
    return Math.min(LONGEST_NAME, WIDEST_NAMES * this.place.clientWidth, Math.ceil(widest) + 8) + 16;
  }

  #fit() {
    if (!this.table) return;
    const step = Math.floor((this.place.clientWidth - this.names - SUMS_WIDTH) / this.table.days.length);
    const gap = step >= AIRY ? 2 : 1;
    const { style } = document.documentElement;
    style.setProperty("--gap", `${gap}px`);
    style.setProperty("--size", `${Math.min(WIDEST, Math.max(NARROWEST, step - gap))}px`);
    style.setProperty("--names", `${this.names}px`);
    this.heads.fit(Math.max(step, NARROWEST + gap));
    if (this.frame?.isConnected) this.#enclose();
  }

  #row(label, row) {
    const { title, name } = this.table.rows[row];
    const words = title ? [make("span", { class: "title" }, title), " ", make("span", { class: "id" }, `${name}${this.table.endings[row]}`)] : [label];
    const line = make("tr", {}, make("th", { scope: "row", title: label }, make("div", {}, ...words)),
      make("td", { class: "later", colSpan: this.table.days.length }),
      make("th", { class: "sum" }, brief(this.table.events[row])));
    line.dataset.r = row;
    return line;
  }

  #fillRows() {
    this.filled = new Set();
    this.observer?.disconnect();
    const first = Math.max(1, Math.floor(CELLS_AT_ONCE / this.table.days.length));
    this.rows.slice(0, first).forEach((_, row) => this.#fill(row));
    // The document, not the window of Airflow around this page's frame.
    this.observer = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) this.#fill(+target.dataset.r);
    }, { root: document, rootMargin: NEAR });
    for (const line of this.rows.slice(first)) this.observer.observe(line);
  }

  #fill(row) {
    if (this.filled.has(row)) return;
    this.filled.add(row);
    this.observer?.unobserve(this.rows[row]);
    const { table } = this;
    const cells = table.days.map((_, column) => {
      const cell = TEMPLATE.cloneNode();
      cell.className = `s-${table.stateAt(row, column)}`;
      cell.dataset.c = column;
      return cell;
    });
    this.rows[row].children[1].replaceWith(...cells);
    if (this.frame) this.#select(row);
  }

  cell([row, column]) {
    this.#fill(row);
    return this.rows[row].children[column + 1];
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
    cell.setAttribute("aria-label", describe(this.table, to));
    for (const each of this.place.querySelectorAll("td.selected")) { each.classList.remove("selected"); each.removeAttribute("aria-selected"); }
    this.#enclose();
    for (const row of this.filled) this.#select(row);
  }

  #select(row) {
    const { top, bottom, left, right } = this.selection();
    if (row < top || row > bottom || (top === bottom && left === right)) return;
    for (let column = left; column <= right; column += 1) {
      const each = this.rows[row].children[column + 1];
      each.classList.add("selected");
      each.setAttribute("aria-selected", "true");
    }
  }

  // Selects all cells between two: a row, a day, or the whole table.
  selectBetween(from, to) {
    this.anchor = from;
    this.mark(to, true);
    this.cell(to).focus({ preventScroll: true });
    this.onSelect(this.selection());
  }

  // Marks the cells with these states as chosen, in the selection or, if only one cell is selected, in the whole table.
  choose(states) {
    const grid = this.place.querySelector("table.grid");
    if (grid) grid.dataset.chosen = states.join(" ");
  }

  // One frame around all selected cells: a frame around each one would hide narrow cells.
  #enclose() {
    const { top, bottom, left, right } = this.selection();
    this.frame.hidden = top === bottom && left === right;
    this.place.querySelector("table.grid")?.classList.toggle("scoped", !this.frame.hidden);
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
    const [lastRow, lastColumn] = [this.table.names.length - 1, this.table.days.length - 1];
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [0, -7], PageDown: [0, 7] };
    if (event.key in moves) this.go([row + moves[event.key][0], column + moves[event.key][1]], event.shiftKey);
    else if (event.key === "Home") this.go([row, 0], event.shiftKey);
    else if (event.key === "End") this.go([row, lastColumn], event.shiftKey);
    else if (event.key === " " && event.shiftKey) this.selectBetween([row, 0], [row, lastColumn]);
    else if (event.key === " " && event.ctrlKey) this.selectBetween([0, column], [lastRow, column]);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) this.selectBetween([0, 0], [lastRow, lastColumn]);
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
    this.opening = !event.shiftKey;
    this.go(this.#placeOf(cell), event.shiftKey);
  }

  // A press opens a cell when it ends where it began; else it has selected cells.
  #up() {
    const isOpened = this.dragging && this.opening;
    this.dragging = false;
    if (isOpened) this.onOpen(this.current);
  }

  #placeOf(cell) {
    return [+cell.parentElement.dataset.r, +cell.dataset.c];
  }

  #clickHead(event) {
    const day = event.target.closest("td[data-d]")?.dataset.d;
    const name = event.target.closest("th[scope=row]");
    if (day !== undefined) this.selectBetween([0, +day], [this.table.names.length - 1, +day]);
    else if (name) this.onName(+name.parentElement.dataset.r);
  }

  #over(event) {
    const cell = event.target.closest("td[data-c]");
    this.#showTip(cell ?? event.target.closest("td[data-d]"));
    if (!cell || !this.dragging) return;
    const to = this.#placeOf(cell);
    this.opening &&= to.every((number, axis) => number === this.anchor[axis]);
    this.go(to, true);
  }

  #showTip(cell) {
    this.tip.hidden = !cell;
    this.tipped = cell;
    if (!cell) return;
    const { d: day } = cell.dataset;
    this.tip.replaceChildren(...(day === undefined ? describeTip(this.table, this.#placeOf(cell))
      : [make("b", {}, this.table.days[day]), make("span", {}, `${count(this.table.perDay[day])} events${this.table.days[day] === this.table.today ? " so far" : ""}`)]));
    const box = cell.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const right = Math.min(innerWidth, this.place.getBoundingClientRect().right) - 8;
    this.tip.style.left = `${Math.max(8, Math.min(box.left, right - width))}px`;
    this.tip.style.top = `${box.bottom + 8 + height > innerHeight ? Math.max(8, box.top - height - 8) : box.bottom + 8}px`;
  }
}
