import { AIRFLOW, describeRefusal, get, post } from "./api.js";
import { nameState } from "./cell.js";
import { copyButton, count, make } from "./elements.js";
import { fill } from "./waiting.js";
import { SOURCES } from "./words.js";

// The states that can be chosen, those that need most attention first.
const STATES = ["failed", "missing", "loading", "quarantined", "complete", "quiet", "none"];
const PLURALS = { account: "accounts", region: "regions" };

// The section in which states are chosen; `onChange` gets those that are checked.
export function stateChoice(checked, onChange) {
  const boxes = STATES.map((state) => make("input", { type: "checkbox", value: state, checked: checked.includes(state) }));
  const section = make("section", { id: "choose" },
    make("h2", {}, "Choose cells to load again"),
    make("fieldset", {}, make("legend", { class: "hint" }, "Check states to choose all cells shown that have them. If cells are selected, only those of them are chosen."),
      ...boxes.map((box) => make("label", {}, box, make("i", { class: `s-${box.value}` }), nameState(box.value)))));
  section.addEventListener("change", () => onChange(boxes.filter((box) => box.checked).map((box) => box.value)));
  return section;
}

const isOne = (selection) => !selection || (selection.top === selection.bottom && selection.left === selection.right);

// Whether several cells are selected, all of them of today.
export function isOnlyToday(table, selection) {
  return Boolean(selection) && !isOne(selection) && selection.left === selection.right && table.days[selection.left] === table.today;
}

export const explainToday = () => make("section", { id: "selection" },
  make("p", { class: "hint" }, "Today cannot be loaded again, because it is not over. Live runs load it; the daily run looks up the whole day tomorrow."));

// The chosen rows and days of each source: the selection, or all that are shown if only one cell is selected and states
// are checked. One day of one account is not a choice, because a click on it shows the account.
export function findChosenRows(table, selection, states) {
  const { top, bottom, left, right } = selection ?? {};
  const chosen = new Map();
  if (isOne(selection) && !states.length && (!selection || table.kind === "account")) return chosen;
  const isAll = isOne(selection) && states.length;
  const [from, to] = isAll ? [0, table.names.length - 1] : [top, bottom];
  // Today is not over, so no run can prove it yet.
  const days = (isAll ? table.days : table.days.slice(left, right + 1)).filter((day) => day !== table.today);
  if (!days.length) return chosen;
  for (let row = from; row <= to; row += 1) {
    const source = table.sources[row];
    if (!chosen.has(source)) chosen.set(source, { source, rows: [], days, states });
    chosen.get(source).rows.push(table.names[row]);
  }
  return chosen;
}

function describeRows(kind, rows) {
  return rows.length === 1 ? rows[0] : `${count(rows.length)} ${PLURALS[kind]}`;
}

// Shows the backfills of chosen cells: rows of one source, days, and states (none: every state).
export function showBackfills(place, chosen, { account, pattern, kind, mayBackfill }) {
  const { source, rows, days, states } = chosen;
  const [first, last] = [days[0], days.at(-1)];
  const params = new URLSearchParams({ first, last, pattern, source, account, row: rows.join(",") });
  for (const state of states) params.append("state", state);
  const content = make("div");
  // A choice can have a section for each source, and ids must differ.
  const suffix = source === "lookup_events" ? "" : `-${source}`;
  const range = `${describeRows(kind, rows)}, ${first}${first === last ? "" : ` to ${last}`}`;
  const words = `${range}${states.length ? `: ${states.map(nameState).join(", ")}` : ""}${suffix ? ` (${SOURCES[source].short})` : ""}`;
  place.replaceChildren(make("section", { id: `selection${suffix}` }, make("h2", {}, `Load again: ${words}`), content));
  return fill(content, "Preparing the backfill …", () => get("backfill", params), (answer) => describe(answer, mayBackfill, suffix));
}

function describe({ backfills, further, cells, joint, dag_id: dag }, mayBackfill, suffix) {
  if (!backfills.length) return [make("p", { class: "hint" }, "No cell here has these states.")];
  const shown = backfills.flatMap((each, place) => backfill(each, dag, mayBackfill, place ? `-${place + 1}${suffix}` : suffix));
  if (!joint) return shown;
  const number = count(backfills.length + further);
  return [
    make("p", { class: "hint", id: `several${suffix}` }, `Exactly these ${count(cells)} cells need ${number} backfills, because a backfill loads the same accounts and regions on each of its days. `
      + "Airflow runs one backfill of a DAG at a time: start each one when the one before has ended."),
    make("details", {}, make("summary", {}, "One backfill for all of them"),
      make("p", { class: "hint" }, `It has ${count(joint.cells - cells)} further cells, because it has all of these accounts and regions on all days. Cells that are complete are only verified. Cells that were never planned are loaded, too.`),
      ...backfill(joint, dag, mayBackfill, `-joint${suffix}`)),
    ...shown,
    ...(further ? [make("p", { class: "hint" }, `${count(further)} further backfills are not shown. To see them, choose fewer cells.`)] : []),
  ];
}

function explainDisabled(mayBackfill, request) {
  if (!mayBackfill) return "You are not allowed to trigger this DAG. Ask somebody who may trigger it to run this command.";
  return request ? "" : "This Airflow can start backfills only with the command.";
}

function backfill({ command, request }, dag, mayBackfill, suffix) {
  const status = make("p", { class: "hint", role: "status", id: `status${suffix}` }, explainDisabled(mayBackfill, request));
  const text = make("pre", { id: `command${suffix}` }, command);
  const start = make("button", { type: "button", class: "primary", id: `start${suffix}`, disabled: !mayBackfill || !request }, "Start this backfill");
  start.addEventListener("click", async () => {
    start.disabled = true;
    status.textContent = "Starting …";
    try {
      const started = await post(request);
      status.replaceChildren(`Backfill ${started.id} has started: `, make("a", { href: `${AIRFLOW}/dags/${dag}/backfills`, target: "_top" }, "open the DAG's backfills"), ".");
    } catch (error) {
      status.textContent = describeRefusal(error);
      start.disabled = false;
    }
  });
  return [text, make("div", { class: "actions" }, copyButton(text, status), start), status];
}
