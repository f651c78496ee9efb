import { nameState } from "./cell.js";
import { brief, count, make } from "./elements.js";
import { SOURCES } from "./words.js";

function describeTotals(totals, source, labels, isOneOfTwo) {
  const from = isOneOfTwo ? ` (${SOURCES[source].short})` : "";
  return Object.entries(labels).map(([key, label]) => [brief(totals[key]), key === "looked_up" ? `events ${label}` : `${label}${from}`, count(totals[key])]);
}

// Shows the sums of a table, and the number of its squares in each state. A live square counts as neither planned nor verified.
export function showTotals(totals, legend, table) {
  const isOverview = table.kind === "account";
  const planned = [...table.counts.values()].reduce((sum, each) => sum + each, 0);
  const live = [...table.liveCounts.values()].reduce((sum, each) => sum + each, 0);
  const verified = planned ? (table.counts.get("complete") + table.counts.get("quiet") + table.counts.get("quarantined")) / planned : 0;
  const facts = [
    [planned ? `${Math.floor(1000 * verified) / 10} %` : "–", isOverview ? "of the days of accounts verified" : "of the cells verified", `${count(planned)} ${isOverview ? "days" : "cells"}`],
    ...[...table.totals].flatMap(([source, sums]) => describeTotals(sums, source, table.figureLabels[source], table.totals.size > 1)),
    [count(new Set(table.names).size), `${table.kind}s`, ""],
  ];
  totals.replaceChildren(...facts.map(([value, name, title]) => make("div", { class: "total", title }, make("b", {}, value), make("span", {}, name))));
  const shown = [...table.counts, ...table.liveCounts, ["none", table.names.length * table.days.length - planned - live]];
  legend.replaceChildren(...shown.map(([name, number]) => make("li", { "data-state": name },
    make("i", { class: `s-${name}` }), nameState(name), make("b", {}, count(number)))));
}
