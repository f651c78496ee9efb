import { count, make } from "./elements.js";
import { BEHIND, describeLive, listFigures } from "./live.js";

const WORDS = { none: "not planned", [BEHIND]: "live, behind" };

// The words for a square's state.
export const nameState = (state) => WORDS[state] ?? state;

function figures(table, [row, column]) {
  const live = table.liveAt(row, column);
  if (live) return listFigures(live, table.days[column] === table.today);
  const labels = table.figureLabels[table.sources[row]];
  return Object.entries(labels).map(([figure, label]) => [label, count(table.figureAt(figure, row, column))]);
}

// A cell as a sentence, for screen readers.
export function describe(table, [row, column]) {
  const [state, live] = [table.stateAt(row, column), table.liveAt(row, column)];
  const head = `${table.labels[row]}, ${table.days[column]}`;
  if (live) return `${head}: ${describeLive(live, table.days[column] === table.today)}`;
  if (state === "none") return `${head}: ${nameState(state)}`;
  return `${head}: ${nameState(state)}; ${figures(table, [row, column]).map(([name, number]) => `${number} ${name}`).join(", ")}`;
}

export function describeTip(table, [row, column]) {
  const state = table.stateAt(row, column);
  const shown = state === "none" ? [] : figures(table, [row, column]).flatMap(([name, number]) => [make("dt", {}, name), make("dd", {}, number)]);
  const reason = table.liveAt(row, column)?.reason;
  return [
    make("b", {}, `${table.labels[row]}, ${table.days[column]}`),
    make("span", { class: "state" }, make("i", { class: `s-${state}` }), nameState(state)),
    ...(shown.length ? [make("dl", {}, ...shown)] : []),
    ...(reason ? [make("span", { class: "problem reason" }, reason)] : []),
  ];
}
