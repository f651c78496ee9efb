import { AIRFLOW, get } from "./api.js";
import { brief, count, make, time } from "./elements.js";
import { listFigures } from "./live.js";
import { fill, refill } from "./waiting.js";
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

function askFor({ region, day, account, pattern, source }) {
  return () => get("cells", new URLSearchParams({ region, day, account, pattern, source }));
}

function show(answer) {
  const { cells, watermarks, labels, dashboards_variable: missing } = answer;
  if (cells.length) return cells.flatMap((cell) => describe(cell, labels[cell.source], missing));
  return watermarks.length ? describeWatermarks(answer) : [make("p", { class: "hint" }, "The ledger has no record of this day: the day was never loaded.")];
}

export function details(place, asked) {
  const { region, day, accountLabel, source } = asked;
  const content = make("div", { class: "content" });
  const words = source === "trail" ? `${region}, delivered ${day} (${SOURCES.trail.short})` : `${region}, ${day}`;
  place.replaceChildren(make("section", { id: "details" }, make("h2", {}, words), ...(accountLabel ? [make("p", { class: "hint" }, accountLabel)] : []), content));
  return fill(content, "Loading the figures …", askFor(asked), show);
}

// Shows the present figures in place of those that are shown.
export function refreshDetails(place, asked) {
  const content = place.querySelector(".content");
  // Screen readers announce the choice of a cell, not the figures of each minute.
  content?.setAttribute("aria-live", "off");
  return content ? refill(content, askFor(asked), show) : null;
}

function documentsLink(documents, missing, words) {
  if (documents) return [make("a", { href: documents, target: "_blank", rel: "noopener" }, words)];
  return missing ? [make("span", { class: "hint" }, `To see a link to the documents here, set the Airflow variable ${missing}.`)] : [];
}

function describeWatermarks({ watermarks, documents, dashboards_variable: missing, now, today, day }) {
  const isToday = day === today;
  const parts = watermarks.flatMap((each) => {
    const times = Object.fromEntries(["watermark", "checked_at", "last_event"].map((name) => [name, each[name] ? Date.parse(each[name]) : null]));
    const list = make("dl");
    const state = each.problem ? "behind" : "live";
    list.append(make("dt", {}, "state"), make("dd", {}, make("span", { class: "state" }, make("i", { class: `s-${state}` }), "live")));
    const figures = listFigures({ ...times, events: each.day === today ? each.live_events : 0, behind: each.problem, now }, isToday);
    for (const [name, value] of figures) list.append(make("dt", {}, name), make("dd", {}, value));
    const kind = each.kind ? [make("h3", {}, each.kind)] : [];
    return [...kind, list, ...(each.problem ? [make("p", { class: "problem" }, each.problem)] : [])];
  });
  const later = isToday ? "This day is not over: live runs load it. The daily run looks up the whole day after it has ended, and proves it."
    : "The daily run has not proven this day yet. Live runs have loaded it.";
  return [...parts, make("p", { class: "hint" }, later), make("div", { class: "links" }, ...documentsLink(documents, missing, "Documents of this day"))];
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
  links.append(...documentsLink(cell.documents, missing, "Documents of this cell"));
  return [list, ...(cell.problem ? [make("p", { class: "problem" }, cell.problem)] : []), ...leftOut(cell), ...proof(cell), ...comparison(cell), links];
}

function leftOut({ left_out_by: rules = [] }) {
  if (!rules.length) return [];
  const lines = rules.map(({ rule, events }) => make("li", {}, `${count(events)} by `, make("code", {}, rule)));
  return [make("div", { class: "left-out" }, make("h3", {}, "Left out by rules"), make("ul", { class: "findings" }, ...lines))];
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
