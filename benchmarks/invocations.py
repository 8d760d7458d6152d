"""What InvokeEndpoint costs in processor time: the service's beside the container's own, in one run.

The client here repeats, over connections it keeps, the very bytes that boto3 has sent once, so that thousands
of requests come one behind the other.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness import ask, cpu_s, load

IMAGE = """
uri = ["bench:*"]
[entry_points]
serve = ["{python}", "-I", "-u", "{dir}/serve.py"]
"""
ROLE = "arn:aws:iam::000000000000:role/any"
ENDPOINT = "e"
VARIANT = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
ANSWER = b"1\n"
BODY = b"1,2\n"
#: requests in a measured stretch, and the connections that send them at the same time
COUNT = 6000
WARM_UP = 300
CONNECTIONS = (1, 32)

SERVE = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def answer(self):
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = b"%d %d" % (os.getpid(), PORT) if asked == b"who" else b"1\\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    do_GET = do_POST = answer
    log_message = lambda *_: None
PORT = int(os.environ["SAGEMAKER_BIND_TO_PORT"])
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
"""


def as_sent(runtime: Any, endpoint: str) -> bytes:  # noqa: ANN401 (boto3 makes its clients at run time)
    """Return the bytes of an invocation as boto3 sends it."""
    seen: list[bytes] = []

    def keep(request: Any, **_: object) -> None:  # noqa: ANN401 (botocore's own request)
        parts = urlsplit(request.url)
        text = [
            f"{request.method} {parts.path} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Accept-Encoding: identity",
        ]
        for name, value in request.headers.items():
            text.append(f"{name}: {value.decode() if isinstance(value, bytes) else value}")
        seen.append("\r\n".join(text).encode() + b"\r\n\r\n" + request.body)

    event = "before-send.sagemaker-runtime.InvokeEndpoint"
    runtime.meta.events.register(event, keep)
    answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=BODY, ContentType="text/csv")
    runtime.meta.events.unregister(event, keep)
    assert answer["Body"].read() == ANSWER
    return seen[0]


def measure(sagemaker: Any, runtime: Any, url: str, service: int) -> None:  # noqa: ANN401 (boto3's clients)
    """Print milliseconds of processor time of one request: the container alone, then behind the service."""
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "bench:1"})
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[VARIANT])
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="c")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=ENDPOINT, WaiterConfig={"Delay": 1})
    who = runtime.invoke_endpoint(EndpointName=ENDPOINT, Body=b"who")["Body"].read()
    container, port = map(int, who.split())
    parts, through = urlsplit(url), as_sent(runtime, ENDPOINT)
    front = parts.hostname or "", parts.port or 0
    length = b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
    direct = b"POST /invocations HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\n" + length
    print(f"{'':<24}{'container':>12}{'container':>12}{'service':>10}{'added':>10}")
    print(f"{'connections':<24}{'asked alone':>12}{'behind it':>12}")
    for connections in CONNECTIONS:
        alone, _ = spent(("127.0.0.1", port), direct, connections, container, service)
        behind, ours = spent(front, through, connections, container, service)
        print(f"{connections:<24}{alone:>12.3f}{behind:>12.3f}{ours:>10.3f}{behind + ours - alone:>10.3f} ms")
    print()
    sagemaker.delete_endpoint(EndpointName=ENDPOINT)


def spent(
    address: tuple[str, int], request: bytes, connections: int, container: int, service: int
) -> tuple[float, float]:
    """Return milliseconds of processor time of one request: the container's and the service's."""
    assert ask(address, request) == ANSWER
    load(address, request, connections, lambda sent: sent >= WARM_UP)
    before = cpu_s(container), cpu_s(service)
    load(address, request, connections, lambda sent: sent >= COUNT)
    return (cpu_s(container) - before[0]) / COUNT * 1000, (cpu_s(service) - before[1]) / COUNT * 1000
