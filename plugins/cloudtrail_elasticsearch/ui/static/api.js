// Data, and Airflow's public API, with the session that the user is logged in with.
export const AIRFLOW = location.pathname.replace(/\/cloudtrail\/[^/]*$/, "");

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// Airflow tells what its database refused as a reason and a message: a lock of SQLite's is told so, say.
function worded(detail) {
  if (typeof detail === "string") return detail;
  return detail.reason ? `${detail.reason}: ${detail.message}` : JSON.stringify(detail);
}

async function answered(response) {
  if (response.ok) return response.json();
  let detail = `${response.status} ${response.statusText}`;
  try {
    const told = (await response.json()).detail;
    if (told) detail = worded(told);
  } catch { /* not every error is JSON: its status is told */ }
  throw new ApiError(response.status, detail);
}

export async function get(path, params) {
  return answered(await fetch(`${AIRFLOW}/cloudtrail/api/${path}?${params}`));
}

// Airflow's own API, as the page's server says that this Airflow has it.
export async function post({ path, body }) {
  return answered(await fetch(`${AIRFLOW}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }));
}

export function refusal(error) {
  if (error.status === 401) return "You are no longer logged in: log in to Airflow again.";
  if (error.status === 403) return "Airflow does not let you start runs of this DAG.";
  if (error.status === 409) return "Another backfill of this DAG is still open: wait for its end, or cancel it.";
  return error.message;
}
