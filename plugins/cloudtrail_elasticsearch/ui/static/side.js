import { AIRFLOW, get, post, refusal } from "./api.js";
import { brief, copyButton, count, make, time } from "./elements.js";

const FIGURES = [
  ["looked_up", "looked up"], ["staged", "staged"], ["indexed", "indexed"], ["quarantined", "quarantined"],
  ["duplicates", "given twice"], ["late", "late"], ["own", "the loader's own"], ["calls", "calls"], ["throttled", "throttled"],
];
const TIMES = [["first_event", "first event"], ["last_event", "last event"], ["staged_at", "staged"], ["verified_at", "verified"]];

export function busiest(table) {
  const order = table.regions.map((name, row) => [name, table.events[row]]).sort((a, b) => b[1] - a[1]).slice(0, 6);
  const most = Math.max(1, order[0]?.[1] ?? 0);
  const lines = order.filter(([, events]) => events).map(([name, events]) => {
    const bar = make("i");
    bar.style.width = `${(100 * events) / most}%`;
    return make("li", {}, make("span", { title: name }, name), make("span", {}, bar), make("b", {}, brief(events)));
  });
  return make("section", { id: "busiest" }, make("h2", {}, "Busiest regions"),
    lines.length ? make("ul", { class: "busiest" }, ...lines) : make("p", { class: "hint" }, "No events."));
}

export async function details(place, { region, day, account, pattern }) {
  const section = make("section", { id: "details" }, make("h2", {}, `${region}, ${day}`), make("p", { class: "hint" }, "…"));
  place.replaceChildren(section);
  try {
    const { cells, dashboards_variable: missing } = await get("cells", new URLSearchParams({ region, day, account, pattern }));
    section.lastChild.remove();
    if (!cells.length) section.append(make("p", { class: "hint" }, "The ledger knows nothing of this day: it was never loaded."));
    for (const cell of cells) section.append(...described(cell, missing));
  } catch (error) {
    section.lastChild.replaceWith(make("p", { class: "problem" }, error.message));
  }
}

function described(cell, missing) {
  const list = make("dl");
  const add = (name, value) => list.append(make("dt", {}, name), make("dd", {}, value));
  add("state", make("span", { class: "state" }, make("i", { class: `s-${cell.state}` }), cell.state));
  for (const [key, name] of FIGURES) if (cell[key] !== undefined && (cell[key] || key === "looked_up")) add(name, count(cell[key]));
  if (cell.attempts) add("attempts", Object.entries(cell.attempts).map(([task, number]) => `${task} ${number}`).join(", "));
  for (const [key, name] of TIMES) if (cell[key]) add(name, time(cell[key]));
  const links = make("div", { class: "links" });
  if (cell.task) links.append(make("a", { href: `${AIRFLOW}${cell.task}`, target: "_top", id: "task" }, "Task instance and its log"));
  if (cell.quarantined) links.append(make("a", { href: `quarantine#${new URLSearchParams({ pattern: cell.pattern })}` }, "Its events in quarantine"));
  if (cell.documents) links.append(make("a", { href: cell.documents, target: "_blank", rel: "noopener" }, "Its documents"));
  else if (missing) links.append(make("span", { class: "hint" }, `Set the Airflow variable ${missing} to have a link to its documents.`));
  return [list, ...(cell.problem ? [make("p", { class: "problem" }, cell.problem)] : []), links];
}

function unable(mayBackfill, request) {
  if (!mayBackfill) return "You may not start runs of this DAG: who may can use the command.";
  return request ? "" : "This Airflow starts backfills by its command alone.";
}

const words = (regions) => (regions.length === 1 ? regions[0] : `${count(regions.length)} regions`);

export async function selected(place, chosen, { pattern, mayBackfill }) {
  const { regions, days, states } = chosen;
  const first = days[0];
  const last = days.at(-1);
  const params = new URLSearchParams({ first, last, pattern });
  for (const region of regions) params.append("region", region);
  for (const state of states) params.append("state", state);
  const section = make("section", { id: "selection" },
    make("h2", {}, `Load again: ${words(regions)}, ${first}${first === last ? "" : ` to ${last}`}`));
  place.replaceChildren(section);
  try {
    const { command, request, dag_id: dag } = await get("backfill", params);
    const told = make("p", { class: "hint", role: "status", id: "told" }, unable(mayBackfill, request));
    const text = make("pre", { id: "command" }, command);
    const start = make("button", { type: "button", class: "primary", id: "start", disabled: !mayBackfill || !request }, "Start this backfill");
    start.addEventListener("click", async () => {
      start.disabled = true;
      told.textContent = "Starting …";
      try {
        const started = await post(request);
        told.replaceChildren(`Backfill ${started.id} has begun: `, make("a", { href: `${AIRFLOW}/dags/${dag}/backfills`, target: "_top" }, "see the DAG's backfills"), ".");
      } catch (error) {
        told.textContent = refusal(error);
        start.disabled = false;
      }
    });
    section.append(text, make("div", { class: "actions" }, copyButton(text, told), start), told);
  } catch (error) {
    section.append(make("p", { class: "problem" }, error.message));
  }
}
