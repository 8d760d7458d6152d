"""A service with access keys answers those who sign with one, by real boto3 over real HTTP."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import base64
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from local_sagemaker.auth import credentials
from local_sagemaker.http.connection import HEAD_LIMIT_BYTES
from sagemaker_kit.service import Service

KEY, SECRET = "tester", "a-secret-for-the-tests"
IMAGE = """
uri = ["signing:*"]
[entry_points]
process = ["{python}", "{dir}/job.py"]
"""
JOB = """
import os, boto3
body = os.environ["AWS_ACCESS_KEY_ID"].encode()
boto3.client("s3").put_object(Bucket="lab", Key="from-the-job", Body=body)
"""
SERVICES = ("s3", "sagemaker", "sagemaker-runtime", "sts")
ASKED: dict[str, Callable[[Any], Any]] = {
    "s3": lambda client: client.list_buckets(),
    "sagemaker": lambda client: client.list_models(),
    "sagemaker-runtime": lambda client: client.invoke_endpoint(EndpointName="missing", Body=b"1"),
    "sts": lambda client: client.get_caller_identity(),
}
UNKNOWN = ("InvalidAccessKeyId", "UnrecognizedClientException", "UnrecognizedClientException")
MISMATCH = ("SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignatureException")
MISSING = ("AccessDenied", "MissingAuthenticationTokenException", "MissingAuthenticationTokenException")


def key_file(path: Path, secret: str = SECRET) -> Path:
    """A file of access keys that its owner alone can read."""
    path.touch(mode=0o600)
    path.write_text(f"[one]\naws_access_key_id = {KEY}\naws_secret_access_key = {secret}\n")
    return path


@pytest.fixture(scope="module")
def service(
    start_shared_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """One service on every address of this machine, with a bucket."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "job.py").write_text(JOB)
    (folder / "image.toml").write_text(IMAGE)
    options = ("--credentials", str(key_file(folder / "credentials")), "--image", str(folder / "image.toml"))
    started = start_shared_service("--host", "0.0.0.0", *options)  # noqa: S104 (its purpose)
    client(started, "s3").create_bucket(Bucket="lab")
    return started


def client(service: Service, name: str, key: str = KEY, secret: str = SECRET, **config: Any) -> Any:
    """A boto3 client with a key."""
    return boto3.client(  # type: ignore[call-overload]  # any service by its name
        name,
        endpoint_url=service.url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}, **config),
    )


def code(asked: Any, name: str) -> str:
    """The code of the error that a service answers with; empty if it answers."""
    try:
        ASKED[name](asked)
    except ClientError as error:
        found: str = error.response["Error"]["Code"]
        return found
    return ""


def send(url: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """Status and body of the answer to a plain request for a URL."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def basic(key: str, secret: str) -> str:
    """What a browser sends for a name and a password."""
    return f"Basic {base64.b64encode(f'{key}:{secret}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("name", "expected"), [*zip(SERVICES, ("", "", "ValidationError", ""), strict=True)], ids=SERVICES
)
def test_the_right_key_is_answered(service: Service, name: str, expected: str) -> None:
    """By every protocol; an endpoint that is missing is told to those who may know."""
    assert code(client(service, name), name) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [*zip(SERVICES, (*UNKNOWN, "InvalidClientTokenId"), strict=True)], ids=SERVICES
)
def test_an_unknown_key_is_refused(service: Service, name: str, expected: str) -> None:
    """In the words of each protocol."""
    assert code(client(service, name, key="somebody"), name) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [*zip(SERVICES, (*MISMATCH, "SignatureDoesNotMatch"), strict=True)], ids=SERVICES
)
def test_another_secret_is_refused(service: Service, name: str, expected: str) -> None:
    """In the words of each protocol."""
    assert code(client(service, name, secret="another"), name) == expected  # noqa: S106 (it is wrong)


@pytest.mark.parametrize(
    ("name", "expected"),
    [*zip(SERVICES, (*MISSING, "MissingAuthenticationToken"), strict=True)],
    ids=SERVICES,
)
def test_an_unsigned_request_is_refused(service: Service, name: str, expected: str) -> None:
    """In the words of each protocol."""
    assert code(client(service, name, signature_version=UNSIGNED), name) == expected


def test_whoever_does_not_sign_learns_of_its_health_alone(service: Service) -> None:
    """No path of the machine, and no page of a bucket."""
    assert send(f"{service.url}/health") == (200, b'{"status": "ok", "service": "local-sagemaker"}')
    assert send(f"{service.url}/lab")[0] == 403


def test_a_browser_may_look_with_a_key_as_its_password(service: Service) -> None:
    """It is asked for one, sees the bucket and what lies in it, and can do nothing else with it."""
    client(service, "s3").put_object(Bucket="lab", Key="seen.html", Body=b"<p>seen", ContentType="text/html")

    def visit(
        path: str, authorization: str = "", method: str = "GET", body: bytes = b""
    ) -> tuple[int, bytes]:
        given = {"authorization": authorization} if authorization else {}
        return send(f"{service.url}/{path}", method, body, accept="text/html", **given)

    known = basic(KEY, SECRET)
    for wrong in ("", basic(KEY, "another"), "Basic %"):
        assert visit("lab", wrong)[0] == 401
        assert visit("lab/seen.html", wrong)[0] == 401
    assert b"seen.html" in visit("lab", known)[1]
    assert visit("lab/seen.html", known) == (200, b"<p>seen")
    assert visit("lab/other", known, "PUT", b"x")[0] in (400, 403)
    assert visit("?Action=GetCallerIdentity", known)[0] in (400, 403)


@pytest.mark.parametrize("key", ["plain", "with space+plus", "../../up", "a//b/./c", "ü/日本", "(1)!*'~&=%"])
def test_any_key_can_be_signed(service: Service, key: str) -> None:
    """Also one whose characters must be encoded, or that looks like a way out of the root."""
    s3 = client(service, "s3")
    s3.put_object(Bucket="lab", Key=key, Body=b"body", Metadata={"who": "me  too"})
    assert s3.get_object(Bucket="lab", Key=key)["Body"].read() == b"body"
    assert key in {item["Key"] for item in s3.list_objects_v2(Bucket="lab", Prefix=key)["Contents"]}


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_a_large_file_goes_up_in_parts_with_checksums(
    service: Service, tmp_path: Path, algorithm: str
) -> None:
    """As upload_file sends it: several signed parts, each with a checksum."""
    large = tmp_path / "large"
    large.write_bytes(os.urandom(9 * 1024 * 1024))
    s3 = client(service, "s3")
    s3.upload_file(str(large), "lab", algorithm, ExtraArgs={"ChecksumAlgorithm": algorithm})
    assert s3.get_object(Bucket="lab", Key=algorithm)["Body"].read() == large.read_bytes()


def test_a_presigned_url_is_an_answer_for_whoever_has_it(service: Service) -> None:
    """GET and PUT; not another method, nor another key, nor with another query."""
    s3 = client(service, "s3", signature_version="s3v4")
    put = s3.generate_presigned_url("put_object", Params={"Bucket": "lab", "Key": "a b/ü"})
    get = s3.generate_presigned_url("get_object", Params={"Bucket": "lab", "Key": "a b/ü"})
    assert send(put, "PUT", b"1,2")[0] == 200
    assert send(get) == (200, b"1,2")
    for url, method in (
        (get, "DELETE"),
        (get.replace("/lab/a", "/lab/b"), "GET"),
        (f"{get}&versionId=1", "GET"),
    ):
        status, body = send(url, method)
        assert (status, b"<Code>SignatureDoesNotMatch</Code>" in body) == (403, True)


def test_a_presigned_url_expires(service: Service) -> None:
    """After its second, it is worth nothing."""
    s3 = client(service, "s3", signature_version="s3v4")
    url = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": "lab"}, ExpiresIn=1)
    time.sleep(2.1)
    status, body = send(url)
    assert (status, b"<Message>Request has expired</Message>" in body) == (403, True)


def test_a_job_is_given_a_key_that_works(service: Service) -> None:
    """What a job finds in its environment signs what it asks for, and is not the user's key."""
    sagemaker = client(service, "sagemaker")
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    sagemaker.create_processing_job(
        ProcessingJobName="signs",
        AppSpecification={"ImageUri": "signing:1"},
        RoleArn="arn:aws:iam::000000000000:role/lab",
        ProcessingResources={"ClusterConfig": cluster},
    )
    waiter = sagemaker.get_waiter("processing_job_completed_or_stopped")
    waiter.wait(ProcessingJobName="signs", WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    found = client(service, "s3").get_object(Bucket="lab", Key="from-the-job")["Body"].read().decode()
    pair = credentials.inside(service.root)
    assert (found, pair.id == KEY) == (pair.id, False)
    assert (service.root / credentials.INSIDE).stat().st_mode & 0o777 == 0o600


def test_a_head_that_is_too_long_is_refused(service: Service) -> None:
    """Whether it ends or not."""
    assert send(f"{service.url}/health", filler="x" * HEAD_LIMIT_BYTES)[0] == 431
    with socket.create_connection((urlsplit(service.url).hostname, urlsplit(service.url).port)) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n")
        answer = b""
        for _ in range(8):  # a head that does not end, in pieces
            try:
                plain.sendall(b"filler: " + b"x" * HEAD_LIMIT_BYTES)
            except OSError:
                break
            time.sleep(0.05)
        while piece := plain.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        ("[a]\naws_access_key_id = tester\naws_secret_access_key = long-enough-secret\n", 0o644, "chmod 600"),
        ("[a]\naws_access_key_id = tester\naws_secret_access_key = short\n", 0o600, "at least 16"),
        ("[a]\naws_secret_access_key = long-enough-secret\n", 0o600, "access key id ''"),
        ("", 0o600, "has no profile"),
        ("nonsense", 0o600, "is no file like"),
    ],
)
def test_a_file_of_keys_that_protects_nothing_is_refused(
    tmp_path: Path, text: str, mode: int, expected: str
) -> None:
    """One that others can read, a secret that can be guessed, a missing key, nothing, nonsense."""
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(credentials.CredentialsError, match=expected):
        credentials.read(path)


def test_without_keys_it_listens_to_this_machine_alone(tmp_path: Path) -> None:
    """Another address is refused, and what to do is told."""
    command = [sys.executable, "-m", "local_sagemaker", "--root", str(tmp_path), "--host", "0.0.0.0"]  # noqa: S104
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "--credentials" in done.stderr) == (2, True)
