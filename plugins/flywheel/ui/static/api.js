// Asks the page's own application for records, and Airflow for runs: with the session of whoever looks at the page.

const root = document.documentElement.dataset.root;
/** Where Airflow is: what the page's own address has before its /flywheel. */
export const airflowRoot = root.replace(/\/flywheel$/, "");
export const pageRoot = root;

/** An answer that is no success, in words for people. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

const WORDS = {
  401: "Your session is over. Sign in to Airflow again.",
  403: "Airflow says that you may not do this.",
  404: "There is no such thing, or not any more.",
  409: "It exists already.",
};

async function ask(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, { credentials: "same-origin", ...options });
  } catch {
    throw new Refused(0, "Airflow does not answer. Is it running?");
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  const detail =
    typeof body?.detail === "string" ? body.detail : body?.detail ? JSON.stringify(body.detail) : "";
  throw new Refused(
    answer.status,
    [WORDS[answer.status] ?? `Airflow answered ${answer.status}.`, detail].filter(Boolean).join(" "),
  );
}

/** JSON of the page's own application. */
export const flywheel = (path) => ask(`${root}/api${path}`);

/** JSON of Airflow's REST API. */
export const airflow = (path, method = "GET", body = undefined) =>
  ask(`${airflowRoot}/api/v2${path}`, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

/** Like Promise.all over an object; what fails becomes `{error}`. */
export async function each(asked) {
  const pairs = Object.entries(asked).map(async ([name, promise]) => [
    name,
    await promise.then(
      (value) => ({ value }),
      (error) => ({ error }),
    ),
  ]);
  return Object.fromEntries(await Promise.all(pairs));
}
