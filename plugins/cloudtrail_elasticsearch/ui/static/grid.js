import { brief, count, make } from "./elements.js";

const MONTH = new Intl.DateTimeFormat("en", { month: "short", year: "2-digit", timeZone: "UTC" });

// The heat map: one cell has the focus, arrows move it, with Shift they select.
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
    place.addEventListener("focusin", (event) => this.#tell(event.target.closest("td[data-c]")));
    place.addEventListener("focusout", () => { this.tip.hidden = true; });
    addEventListener("pointerup", () => { this.dragging = false; });
  }

  draw(table) {
    this.table = table;
    this.anchor = this.current = [0, table.days.length - 1];
    const size = table.days.length > 200 ? 8 : table.days.length > 100 ? 11 : 14;
    document.documentElement.style.setProperty("--size", `${size}px`);
    const most = Math.max(1, ...table.perDay);
    this.rows = table.regions.map((region, row) => this.#row(region, row));
    const grid = make("table", { class: "grid", role: "grid", "aria-label": "Coverage by region and day", "aria-multiselectable": "true" },
      make("thead", {}, this.#months(), this.#bars(most)),
      make("tbody", {}, ...this.rows));
    this.place.replaceChildren(table.regions.length ? grid : make("p", { class: "hint" }, "The ledger has no cells here. Cells appear as the DAG loads them."));
    this.place.setAttribute("aria-busy", "false");
    if (table.regions.length) this.#mark(this.current, false);
    this.place.scrollLeft = this.place.scrollWidth;
  }

  #months() {
    const row = make("tr", { class: "months" }, make("th"));
    let month = null;
    for (const day of this.table.days) {
      const name = day.slice(0, 7);
      if (name !== month?.name) {
        month = { name, cell: make("th", { colSpan: 0 }, MONTH.format(new Date(`${day}T00:00:00Z`))) };
        row.append(month.cell);
        month.cell.colSpan = 1;
      } else month.cell.colSpan += 1;
    }
    for (const cell of row.children) if (cell.colSpan < 3) cell.textContent = "";
    return row;
  }

  #bars(most) {
    const row = make("tr", { class: "bars" }, make("th", {}, "events a day"));
    this.table.perDay.forEach((events, day) => {
      const bar = make("i", { title: `${this.table.days[day]}: ${count(events)} events` });
      bar.style.height = `${Math.round((42 * events) / most)}px`;
      row.append(make("td", {}, bar));
    });
    return row;
  }

  #row(region, row) {
    const line = make("tr", {}, make("th", { scope: "row" }, region));
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

  words([row, column]) {
    const { table } = this;
    const state = table.stateAt(row, column);
    const head = `${table.regions[row]}, ${table.days[column]}: ${state === "none" ? "nothing known" : state}`;
    if (state === "none") return head;
    const figure = (name) => count(table.figureAt(name, row, column));
    return `${head}\n${figure("looked_up")} looked up, ${figure("indexed")} indexed, ${figure("quarantined")} quarantined`;
  }

  selection() {
    const [top, bottom] = [this.anchor[0], this.current[0]].sort((a, b) => a - b);
    const [left, right] = [this.anchor[1], this.current[1]].sort((a, b) => a - b);
    return { top, bottom, left, right };
  }

  #mark(to, extend) {
    if (!extend) this.anchor = to;
    const old = this.place.querySelector("td.current");
    if (old) { old.classList.remove("current"); old.tabIndex = -1; }
    this.current = to;
    const cell = this.cell(to);
    cell.classList.add("current");
    cell.tabIndex = 0;
    cell.setAttribute("aria-label", this.words(to).replace("\n", "; "));
    for (const each of this.place.querySelectorAll("td.selected")) { each.classList.remove("selected"); each.removeAttribute("aria-selected"); }
    const { top, bottom, left, right } = this.selection();
    if (top === bottom && left === right) return;
    for (let row = top; row <= bottom; row += 1) {
      for (let column = left; column <= right; column += 1) {
        const each = this.cell([row, column]);
        each.classList.add("selected");
        each.setAttribute("aria-selected", "true");
      }
    }
  }

  go(to, extend) {
    const row = Math.min(Math.max(to[0], 0), this.table.regions.length - 1);
    const column = Math.min(Math.max(to[1], 0), this.table.days.length - 1);
    this.#mark([row, column], extend);
    this.cell([row, column]).focus({ preventScroll: false });
    this.onSelect(this.selection());
  }

  #key(event) {
    if (!this.table?.regions.length) return;
    const [row, column] = this.current;
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [0, -7], PageDown: [0, 7] };
    if (event.key in moves) this.go([row + moves[event.key][0], column + moves[event.key][1]], event.shiftKey);
    else if (event.key === "Home") this.go([row, 0], event.shiftKey);
    else if (event.key === "End") this.go([row, this.table.days.length - 1], event.shiftKey);
    else if (event.key === "Enter" || event.key === " ") this.onOpen(this.current);
    else if (event.key === "Escape") this.go(this.current, false);
    else return;
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
    this.#tell(cell);
    if (cell && this.dragging) this.go([+cell.dataset.r, +cell.dataset.c], true);
  }

  #tell(cell) {
    this.tip.hidden = !cell;
    if (!cell) return;
    this.tip.textContent = this.words([+cell.dataset.r, +cell.dataset.c]);
    const box = cell.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    this.tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
    this.tip.style.top = `${box.bottom + 8 + height > innerHeight ? box.top - height - 8 : box.bottom + 8}px`;
  }
}
