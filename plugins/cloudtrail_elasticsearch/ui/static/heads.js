import { make } from "./elements.js";

const MONTH = new Intl.DateTimeFormat("en", { month: "short", year: "numeric", timeZone: "UTC" });
const MONTH_WIDTH = 64;
const TALLEST = 42;

// The rows above the cells: the months, and a bar with the events of each day.
export class Heads {
  constructor(table) {
    this.months = [];
    this.bars = [];
    this.rows = [this.#makeMonths(table), this.#makeBars(table)];
  }

  // Shows the names of the months that are wide enough; `width` is that of a day.
  fit(width) {
    for (const [cell, name] of this.months) name.hidden = cell.colSpan * width < MONTH_WIDTH;
  }

  drawBars({ perDay }) {
    const most = Math.max(1, ...perDay);
    this.bars.forEach((bar, day) => { bar.style.height = `${Math.round((TALLEST * perDay[day]) / most)}px`; });
  }

  #makeMonths({ days }) {
    const row = make("tr", { class: "months" }, make("th"));
    let month = null;
    for (const day of days) {
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

  #makeBars(table) {
    const row = make("tr", { class: "bars" }, make("th", {}, "events per day"));
    this.bars = table.days.map((_, day) => {
      const bar = make("i");
      const place = make("td", {}, bar);
      place.dataset.d = day;
      row.append(place);
      return bar;
    });
    this.drawBars(table);
    return row;
  }
}
