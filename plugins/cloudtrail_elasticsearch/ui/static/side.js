import { AIRFLOW, describeRefusal, get, post } from "./api.js";
import { brief, copyButton, count, make, time } from "./elements.js";
import { fill } from "./waiting.js";
import { PROOFS, SOURCES } from "./words.js";

const TIMES = [["first_event", "first event"], ["last_event", "last event"], ["staged_at", "staged"], ["verified_at", "verified"]];

export function busiest(table) {
  const order = table.labels.map((name, row) => [name, table.events[row]]).sort((a, b) => b[1] - a[1]).slice(0, 6);
  const most = Math.max(1, order[0]?.[1] ?? 0);
  const lines = order.filter(([, events]) => events).map(([name, events]) => {
    const bar = make("i");
    bar.style.width = `${(100 * events) / most}%`;
    return make("li", {}, make("span", { title: name }, name), make("span", {}, bar), make("b", {}, brief(events)));
  });
  return make("section", { id: "busiest" }, make("h2", {}, `Busiest ${table.kind}s`),
    lines.length ? make("ul", { class: "busiest" }, ...lines) : make("p", { class: "hint" }, "No events."));
}

export function details(place, { region, day, account, pattern, source }) {
  const content = make("div");
  const words = source === "trail" ? `${region}, delivered ${day} (${SOURCES.trail.short})` : `${region}, ${day}`;
  place.replaceChildren(make("section", { id: "details" }, make("h2", {}, words), content));
  return fill(content, "Loading the figures …", () => get("cells", new URLSearchParams({ region, day, account, pattern, source })),
    ({ cells, labels, dashboards_variable: missing }) => (cells.length ? cells.flatMap((cell) => describe(cell, labels[cell.source], missing))
      : [make("p", { class: "hint" }, "The ledger has no record of this day: the day was never loaded.")]));
}

function describe(cell, labels, missing) {
  const list = make("dl");
  const add = (name, value) => list.append(make("dt", {}, name), make("dd", {}, value));
  add("state", make("span", { class: "state" }, make("i", { class: `s-${cell.state}` }), cell.state));
  for (const [key, name] of Object.entries(labels)) if (cell[key] !== undefined && (cell[key] || key === "looked_up")) add(name, count(cell[key]));
  if (cell.attempts) add("attempts", Object.entries(cell.attempts).map(([task, number]) => `${task} ${number}`).join(", "));
  for (const [key, name] of TIMES) if (cell[key]) add(name, time(cell[key]));
  const links = make("div", { class: "links" });
  if (cell.task) links.append(make("a", { href: `${AIRFLOW}${cell.task}`, target: "_top", id: "task" }, "Task instance and log"));
  if (cell.quarantined) links.append(make("a", { href: `quarantine#${new URLSearchParams({ pattern: cell.pattern })}` }, "Quarantined events of this cell"));
  if (cell.documents) links.append(make("a", { href: cell.documents, target: "_blank", rel: "noopener" }, "Documents of this cell"));
  else if (missing) links.append(make("span", { class: "hint" }, `To see a link to the documents here, set the Airflow variable ${missing}.`));
  return [list, ...(cell.problem ? [make("p", { class: "problem" }, cell.problem)] : []), ...proof(cell), ...comparison(cell), links];
}

function proof({ proof: status, findings = [], findings_total: total = findings.length }) {
  if (!status) return [];
  const lines = findings.map(({ kind, key, reason }) => make("li", {}, make("b", {}, kind.replaceAll("_", " ")), ...(key ? [" ", make("code", {}, key)] : []), `: ${reason}`));
  const more = total > findings.length ? [make("p", { class: "hint" }, `${count(total - findings.length)} further findings are in the log of the task.`)] : [];
  return [make("div", { class: "proof", "data-proof": status }, make("h3", {}, `Proof: ${status}`), make("p", {}, PROOFS[status] ?? status),
    ...(lines.length ? [make("ul", { class: "findings" }, ...lines)] : []), ...more)];
}

// Both sources write the same documents, so only a comparison of the ids shows what one of them lacks.
function comparison({ comparison: found, staged_at: staged }) {
  if (!found) return [];
  const { both, only_lookup_events: lookup, only_trail: trail } = found;
  const figure = (name, number) => [make("dt", {}, name), make("dd", {}, count(number))];
  const listed = ({ events, ids }, words) => (ids.length ? [make("details", {},
    make("summary", {}, events > ids.length ? `${ids.length} of the ids ${words}` : `The ids ${words}`),
    make("ul", { class: "findings" }, ...ids.map((id) => make("li", {}, make("code", {}, id)))))] : []);
  const old = staged && staged > found.compared_at ? [make("p", { class: "hint" }, "The cell was staged again after the comparison: compare it again.")] : [];
  return [make("div", { class: "comparison" }, make("h3", {}, "Compared with the trail"),
    make("dl", {}, ...figure("events in both", both), ...figure("only in LookupEvents", lookup.events), ...figure("only in the trail", trail.events)),
    ...listed(lookup, "only in LookupEvents"),
    ...listed(trail, "only in the trail"),
    make("p", { class: "hint" }, `Log files delivered from ${time(found.first_delivery)} to ${time(found.last_delivery)}, compared ${time(found.compared_at)}. Later log files can have further events. Of the trail, only management events are compared.`), ...old)];
}

function explainDisabled(mayBackfill, request) {
  if (!mayBackfill) return "You are not allowed to trigger this DAG. Ask somebody who may trigger it to run this command.";
  return request ? "" : "This Airflow can start backfills only with the command.";
}

const describeRegions = (regions) => (regions.length === 1 ? regions[0] : `${count(regions.length)} regions`);

export function selected(place, chosen, { account, pattern, mayBackfill }) {
  const { source, regions, days, states } = chosen;
  const first = days[0];
  const last = days.at(-1);
  const params = new URLSearchParams({ first, last, pattern, source, account });
  for (const region of regions) params.append("region", region);
  for (const state of states) params.append("state", state);
  const content = make("div");
  // A selection can have a section for each source, and ids must differ.
  const suffix = source === "lookup_events" ? "" : `-${source}`;
  const from = suffix ? ` (${SOURCES[source].short})` : "";
  place.replaceChildren(make("section", { id: `selection${suffix}` },
    make("h2", {}, `Load again: ${describeRegions(regions)}, ${first}${first === last ? "" : ` to ${last}`}${from}`), content));
  return fill(content, "Preparing the backfill …", () => get("backfill", params), (answer) => backfill(answer, mayBackfill, suffix));
}

function backfill({ command, request, dag_id: dag }, mayBackfill, suffix) {
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
