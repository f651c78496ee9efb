// Requests to the pages' own API and to Airflow's public API, with the user's session.
import { authorize } from "./session.js";

export const AIRFLOW = location.pathname.replace(/\/cloudtrail\/[^/]*$/, "");

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// Airflow's API reports a database error (a locked SQLite file, for example) as an object with reason and message.
function describeDetail(detail) {
  if (typeof detail === "string") return detail;
  return detail.reason ? `${detail.reason}: ${detail.message}` : JSON.stringify(detail);
}

async function readAnswer(response) {
  if (response.ok) return readJson(response);
  let detail = `${response.status} ${response.statusText}`;
  try {
    const found = (await response.json()).detail;
    if (found) detail = describeDetail(found);
  } catch { /* not every error is JSON: show the status instead */ }
  throw new ApiError(response.status, detail);
}

// A proxy may answer in Airflow's place, for example with its login page.
async function readJson(response) {
  try {
    return await response.json();
  } catch {
    throw new ApiError(response.status, "The server sent a web page instead of data. If a proxy asks for a login, load this page again and log in.");
  }
}

// Status 0 means that no answer arrived.
async function send(address, options) {
  try {
    return await fetch(address, { ...options, headers: { ...options.headers, ...authorize() } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "Airflow cannot be reached: check the network, then try again.");
  }
}

export async function get(path, params, signal) {
  return readAnswer(await send(`${AIRFLOW}/cloudtrail/api/${path}?${params}`, { signal }));
}

// Airflow's own API. The pages' API returns the path and body, because they differ between Airflow versions.
export async function post({ path, body }) {
  return readAnswer(await send(`${AIRFLOW}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }));
}

export function describeRefusal(error) {
  if (error.status === 401) return "You are no longer logged in: log in to Airflow again.";
  if (error.status === 403) return "You are not allowed to trigger this DAG.";
  if (error.status === 409) return "Another backfill of this DAG is still running: wait until it ends, or cancel it.";
  return error.message;
}
