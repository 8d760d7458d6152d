import assert from "node:assert/strict";
import { test } from "node:test";
import "./page.mjs";

const { airflow, flywheel, settle } = await import("../../../../plugins/flywheel/ui/static/api.js");
const answer = (status, body) => new Response(body === undefined ? "no JSON" : JSON.stringify(body), { status });

test("requests carry the session, and a body is JSON", async (context) => {
  const fetched = context.mock.method(globalThis, "fetch", () => Promise.resolve(answer(200, { id: 1 })));
  assert.deepEqual(await flywheel("/cycles"), { id: 1 });
  assert.deepEqual(await airflow("/dags", "POST", { conf: {} }), { id: 1 });
  const [[page, read], [dags, post]] = fetched.mock.calls.map((call) => call.arguments);
  assert.deepEqual([page, dags], ["/team/flywheel/api/cycles", "/team/api/v2/dags"]);
  assert.equal(read.credentials, "same-origin");
  assert.deepEqual([post.method, post.body, post.headers], ["POST", '{"conf":{}}', { "Content-Type": "application/json" }]);
});

for (const [status, body, message] of [
  [401, undefined, /session is over/u],
  [403, { detail: "Forbidden" }, /may not do this\. Forbidden$/u],
  [404, { detail: "no cycle 'x'" }, /^Not found: .* no cycle 'x'$/u],
  [422, { detail: [{ msg: "too short" }] }, /^Airflow answered 422\. \[\{"msg":"too short"\}\]$/u],
]) {
  test(`an answer ${status} becomes an error with its status`, async (context) => {
    context.mock.method(globalThis, "fetch", () => Promise.resolve(answer(status, body)));
    await assert.rejects(flywheel("/x"), { name: "RequestError", status, message });
  });
}

test("a lost connection becomes an error without a status", async (context) => {
  context.mock.method(globalThis, "fetch", () => Promise.reject(new TypeError("network")));
  await assert.rejects(flywheel("/x"), { status: 0, message: /does not answer/u });
});

test("settled requests have a value or an error", async () => {
  const error = new Error("lost");
  const settled = await settle({ good: Promise.resolve(1), bad: Promise.reject(error) });
  assert.deepEqual(settled, { good: { value: 1 }, bad: { error } });
});
