import { length } from "./address.js";
import { make } from "./elements.js";
import { SOURCES } from "./words.js";

export const ALL_ACCOUNTS = "*";
export const filters = document.getElementById("filters");
export const field = (name) => filters.elements.namedItem(name);
const NAMES = ["first", "last", "account", "pattern", "source", "search"];

export function readFilters() {
  const params = new URLSearchParams();
  for (const name of NAMES) if (field(name).value) params.set(name, field(name).value);
  return params;
}

// An account's name in AWS Organizations, if the ledger has it, and its id.
export const nameAccount = ({ account_names: names }, id) => (names[id] ? `${names[id]} ${id}` : id);

function nameOption({ account_names: names }, name) {
  if (name === ALL_ACCOUNTS) return "all accounts";
  return names[name] ? `${names[name]} (${name})` : name;
}

// Shows the choice of an answer, and what else can be chosen.
export function fillFilters(answer, search) {
  const all = answer.accounts.length > 1 ? [ALL_ACCOUNTS] : [];
  const accounts = answer.accounts.toSorted((a, b) => nameAccount(answer, a).localeCompare(nameAccount(answer, b)));
  for (const [name, known] of [["account", [...all, ...accounts]], ["pattern", answer.patterns]]) {
    const names = known.includes(answer[name]) || !answer[name] ? known : [answer[name], ...known];
    field(name).replaceChildren(...names.map((each) => make("option", { value: each }, nameOption(answer, each))));
    field(name).value = answer[name];
  }
  field("source").replaceChildren(make("option", { value: "" }, "both"), ...Object.entries(SOURCES).map(([value, { name }]) => make("option", { value }, name)));
  field("source").value = answer.source ?? "";
  field("source").parentElement.hidden = answer.sources.length < 2 && !answer.source;
  field("search").placeholder = answer.rows === "account" ? "account id or name" : "region";
  field("search").value = search;
  fillRange(answer);
}

export function fillRange({ first, last }) {
  field("first").value = first;
  field("last").value = last;
  const days = length(first, last);
  for (const button of document.querySelectorAll("[data-days]")) button.setAttribute("aria-pressed", String(+button.dataset.days === days));
}
