// The page's filters are stored in the address, so that a user can share it, and in the tab's session storage, so that
// the page opens again as it was after a visit to Airflow's own pages.
const KEPT = "cloudtrail-coverage";
const DAY = 86_400_000;

export const day = (time) => new Date(time).toISOString().slice(0, 10);
export const before = (last, days) => day(Date.parse(last) - (days - 1) * DAY);
export const length = (first, last) => Math.round((Date.parse(last) - Date.parse(first)) / DAY) + 1;

// The last day of the page without a range: yesterday, or today if live runs load it.
let latest = "";
export const setLatest = (found) => { latest = found; };
export const readLatest = () => latest || day(Date.now() - DAY);

// A range that ends with the latest day is stored as a length, so that tomorrow it ends a day later.
export function toStored(params) {
  const kept = new URLSearchParams(params);
  const [first, last] = [kept.get("first"), kept.get("last")];
  if (!first || last !== readLatest()) return kept;
  kept.delete("first");
  kept.delete("last");
  kept.set("days", length(first, last));
  return kept;
}

export function remember(params) {
  history.replaceState(history.state, "", `#${params}`);
  sessionStorage.setItem(KEPT, toStored(params));
}

// A step that the browser's Back button undoes; `state` is kept with it.
export function step(params, state) {
  history.pushState(state, "", `#${params}`);
  sessionStorage.setItem(KEPT, toStored(params));
}

export function forget() {
  sessionStorage.removeItem(KEPT);
  history.replaceState(null, "", location.pathname + location.search);
}

export function readParams() {
  const params = new URLSearchParams(location.hash.slice(1) || sessionStorage.getItem(KEPT) || "");
  // Addresses of earlier versions.
  if (params.has("region")) params.set("search", params.get("region"));
  params.delete("region");
  return params;
}
