// The page's filters are stored in the address, so that a user can share it, and in the tab's session storage, so that
// the page opens again as it was after a visit to Airflow's own pages.
const KEPT = "cloudtrail-coverage";
const DAY = 86_400_000;

export const day = (time) => new Date(time).toISOString().slice(0, 10);
export const before = (last, days) => day(Date.parse(last) - (days - 1) * DAY);
export const length = (first, last) => Math.round((Date.parse(last) - Date.parse(first)) / DAY) + 1;
export const yesterday = () => day(Date.now() - DAY);

// A range that ends yesterday is stored as a length, so that tomorrow it ends a day later.
function toStored(params) {
  const kept = new URLSearchParams(params);
  const [first, last] = [kept.get("first"), kept.get("last")];
  if (!first || last !== yesterday()) return kept;
  kept.delete("first");
  kept.delete("last");
  kept.set("days", length(first, last));
  return kept;
}

export function remember(params) {
  history.replaceState(null, "", `#${params}`);
  sessionStorage.setItem(KEPT, toStored(params));
}

export function forget() {
  sessionStorage.removeItem(KEPT);
  history.replaceState(null, "", location.pathname + location.search);
}

export function readParams() {
  const params = new URLSearchParams(location.hash.slice(1) || sessionStorage.getItem(KEPT) || "");
  const days = params.get("days");
  params.delete("days");
  if (days) {
    params.set("last", yesterday());
    params.set("first", before(yesterday(), days));
  }
  return params;
}
