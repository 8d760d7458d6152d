// Reads records from the page's own application and runs from Airflow, with the session of the current user.

const root = document.documentElement.dataset.root;
/** Airflow's address: the page's root without its /flywheel. */
export const airflowRoot = root.replace(/\/flywheel$/u, "");
export const pageRoot = root;

/** An HTTP error, with a message for the user. */
export class RequestError extends Error {
  constructor(status, message) {
    super(message);
    this.name = "RequestError";
    this.status = status;
  }
}

const MESSAGES = {
  401: "Your session is over. Sign in to Airflow again.",
  403: "Airflow says that you may not do this.",
  404: "Not found: it does not exist, or no longer.",
  409: "It already exists.",
};

async function request(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch {
    throw new RequestError(0, "Airflow does not answer. Is it running?");
  }
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  const detail =
    typeof body?.detail === "string" ? body.detail : body?.detail ? JSON.stringify(body.detail) : "";
  throw new RequestError(
    response.status,
    [MESSAGES[response.status] ?? `Airflow answered ${response.status}.`, detail].filter(Boolean).join(" "),
  );
}

/** Reads JSON from the page's own application. */
export const flywheel = (path) => request(`${root}/api${path}`);

/** Calls Airflow's REST API. */
export const airflow = (path, method = "GET", body) =>
  request(`${airflowRoot}/api/v2${path}`, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

/** Awaits an object of promises; each becomes `{value}` or `{error}`. */
export async function settle(promises) {
  const pairs = Object.entries(promises).map(async ([name, promise]) => [
    name,
    await promise.then(
      (value) => ({ value }),
      (error) => ({ error }),
    ),
  ]);
  return Object.fromEntries(await Promise.all(pairs));
}
