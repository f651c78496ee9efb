import { AIRFLOW } from "./api.js";
import { count, make, time } from "./elements.js";

// The states of squares without a cell that live runs follow. They are no proof.
export const LIVE = "live";
export const BEHIND = "behind";
const MINUTE = 60_000;
const DAG = "cloudtrail_live";

const EXPLANATION = "Newest event: the time since the newest event that live runs have loaded; it is long where nothing happens. "
  + "Behind: AWS has events that live runs have not loaded yet; the lag is the time since the moment up to which everything is loaded. "
  + "Live is not a proof: the daily run looks up each day again after it has ended.";

function describeDuration(milliseconds) {
  const minutes = Math.floor(Math.max(0, milliseconds) / MINUTE);
  if (minutes < 1) return "less than a minute";
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const describeAge = (at, now) => (at === null ? "none yet" : `${describeDuration(now - at)} ago`);

// A time of the same day without its date.
function describeTime(at, now) {
  const [text, today] = [at, now].map((each) => time(new Date(each).toISOString()));
  return text.slice(0, 10) === today.slice(0, 10) ? text.slice(11) : text;
}

// The live squares of an answer as objects; each has the time of the answer, and the reason if it falls behind.
export function readLiveSquares({ columns, squares, reasons, now }) {
  const found = squares.map((values) => ({ ...Object.fromEntries(columns.map((name, number) => [name, values[number]])), now }));
  const known = new Map(reasons.map(([name, source, reason]) => [`${source} ${name}`, reason]));
  return found.map((square) => ({ ...square, reason: known.get(`${square.source} ${square.name}`) ?? "" }));
}

// The figures of a live square or of a watermark, with their names.
export function listFigures({ watermark, checked_at: checked, last_event: newest, events, behind, now }, isToday) {
  return [
    ...(behind ? [["behind", describeDuration(now - watermark)]] : []),
    ["newest event", describeAge(newest, now)],
    ...(isToday ? [["events today", count(events)]] : []),
    ["loaded up to", describeTime(watermark, now)],
    ["last load", describeTime(checked, now)],
  ];
}

// A live square as a sentence, for screen readers.
export function describeLive(square, isToday) {
  const { watermark, checked_at: checked, last_event: newest, events, behind, reason, now } = square;
  const head = behind ? `live, ${describeDuration(now - watermark)} behind` : "live";
  const today = isToday ? `, ${count(events)} events today` : "";
  return `${head}: newest event ${describeAge(newest, now)}${today}, loaded up to ${describeTime(watermark, now)} as of ${describeTime(checked, now)}${reason ? `. ${reason}` : ""}`;
}

function describeWorst({ worst, squares, columns, now }, nameAccount) {
  const late = squares.reduce((sum, values) => sum + values[columns.indexOf("behind")], 0);
  const lag = describeDuration(now - Date.parse(worst.watermark));
  const others = late > 1 ? `; ${count(late)} regions are behind` : "";
  return `worst lag ${lag} (${nameAccount(worst.account)} ${worst.region})${others}.`;
}

// Shows the worst lag above the table; `trouble` is why the page could not be refreshed, if it could not.
export function showLive(place, live, nameAccount, trouble = "") {
  place.hidden = !live;
  if (!live) return;
  const { now, worst, checked_at: checked, stale_after: longest, columns, squares } = live;
  const newest = Math.max(...squares.map((values) => values[columns.indexOf("last_event")] ?? 0), 0);
  const isStale = now - checked > longest;
  const lag = worst ? describeWorst(live, nameAccount) : isStale ? "" : squares.length ? "no region is behind." : "no live run follows this account.";
  const facts = isStale || !squares.length ? "" : ` Newest event ${describeAge(newest || null, now)}, last load ${describeTime(checked, now)}.`;
  const link = make("a", { href: `${AIRFLOW}/dags/${DAG}`, target: "_top" }, DAG);
  const stale = ["No live run has loaded anything since ", `${time(new Date(checked).toISOString())} (${describeAge(checked, now)}). `, "Check that the DAG ", link, " is unpaused and that its runs succeed."];
  place.replaceChildren(
    make("p", { class: "state" }, make("i", { class: `s-${worst || isStale ? BEHIND : LIVE}` }),
      make("span", {}, make("b", {}, "Live: "), lag, facts, ...(isStale ? [make("span", { class: "problem" }, ...(lag ? [" "] : []), ...stale)] : []))),
    ...(trouble ? [make("p", { class: "problem", id: "stale" }, `The page was not refreshed since ${describeTime(now, now)}: ${trouble}`)] : []),
    make("p", { class: "hint" }, EXPLANATION),
  );
}
