"""What made-up requests once found, each by the request that showed it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from local_sagemaker.protocol import models
from sagemaker_kit import fuzz_contents as contents
from sagemaker_kit.fuzz_wire import Sent, exchange
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service


@pytest.fixture(scope="module")
def service(start_shared_service: Callable[..., Service]) -> Service:
    """A service with a bucket."""
    return start_shared_service("--bucket", contents.BUCKET)


def code_of(service: Service, operation: str, body: str | bytes) -> str:
    """The code of the error that a body of one's own making is answered with."""
    headers: dict[str, str | bytes] = {"X-Amz-Target": f"SageMaker.{operation}"}
    sent = Sent("POST", "/", headers, body.encode() if isinstance(body, str) else body)
    answer = exchange(urlsplit(service.url).netloc, sent, models.operation_model("sagemaker", operation))
    assert answer.status == 400
    return str(answer.parsed["Error"]["Code"])


@pytest.mark.parametrize(
    "place", ["5", "[1, 2]", '[{}, "a"]', '["a", []]', '["a", "\\ud800"]', "[1e999, 1]", "[" * 5000]
)
def test_a_token_that_no_list_gave_is_refused(service: Service, place: str) -> None:
    """Whatever it decodes to, in lists and in Search."""
    token = base64.urlsafe_b64encode(place.encode()).decode()
    for operation, more in (
        ("ListModels", {}),
        ("ListExperiments", {}),
        ("Search", {"Resource": "TrainingJob"}),
    ):
        body = json.dumps({"NextToken": token, **more})
        assert code_of(service, operation, body) == "ValidationException"


@pytest.mark.parametrize(
    "body", ['{"ExperimentName": "a", "Description": "\\ud800"}', b'{"a": "\xed\xa0\x80"}']
)
def test_half_of_a_surrogate_pair_is_refused(service: Service, body: str | bytes) -> None:
    """JSON can say it; no text that could be kept or answered has it."""
    assert code_of(service, "CreateExperiment", body) == "SerializationException"


def test_a_map_with_the_key_of_a_time_comes_back(service: Service) -> None:
    """What documents keep times by is a client's name for anything as well."""
    parameters = {"$time": {"StringValue": "noon"}}
    service.sagemaker.create_trial_component(TrialComponentName="timed", Parameters=parameters)
    found = service.sagemaker.describe_trial_component(TrialComponentName="timed")
    assert found["Parameters"] == parameters


@pytest.mark.parametrize("moment", [-(10**18), 1e308, 10**30])
def test_a_time_that_no_calendar_has_is_refused(service: Service, moment: float) -> None:
    """Seconds from a past, or to a future, beyond all reckoning."""
    assert (
        code_of(service, "ListModels", json.dumps({"CreationTimeAfter": moment})) == "SerializationException"
    )


def test_instances_that_nobody_counted_are_refused(service: Service) -> None:
    """The model has them optional since there are preferences, which are not followed here."""
    cluster = {"ClusterConfig": {"VolumeSizeInGB": 1}}
    request = {**contents.PROCESSING, "ProcessingJobName": "uncounted", "ProcessingResources": cluster}
    with refused("ValidationException", "InstanceType", "InstanceCount"):
        service.sagemaker.create_processing_job(**request)


@pytest.mark.parametrize("path", ["/opt/ml/processing/a\0b", "/opt/ml/processing/" + "\u00e9" * 150])
def test_a_path_that_no_file_can_have_is_refused(service: Service, path: str) -> None:
    """NUL, and names longer than file systems take."""
    (given,) = contents.PROCESSING["ProcessingInputs"]
    inputs = [{**given, "S3Input": {**given["S3Input"], "LocalPath": path}}]
    request = {**contents.PROCESSING, "ProcessingJobName": "nowhere", "ProcessingInputs": inputs}
    with refused("ValidationException", repr(path)):
        service.sagemaker.create_processing_job(**request)


def test_a_script_that_is_no_ascii_is_refused(service: Service) -> None:
    """It is not base64 either."""
    script = [{"Content": "\u00e9"}]
    with refused("ValidationException", "OnStart"):
        service.sagemaker.create_notebook_instance_lifecycle_config(
            NotebookInstanceLifecycleConfigName="odd", OnStart=script
        )


@pytest.mark.parametrize(("wanted", "told"), [("a\x00\x1fb", "a  b"), ("\u0416\n\u2028x", None)])
def test_a_header_that_was_asked_for_carries_no_control_characters(
    service: Service, wanted: str, told: str | None
) -> None:
    """S3 answers with the headers a client wants; some characters would end the answer."""
    service.s3.put_object(Bucket=contents.BUCKET, Key="plain", Body=b"1")
    found = service.s3.get_object(Bucket=contents.BUCKET, Key="plain", ResponseContentDisposition=wanted)
    assert found["Body"].read() == b"1"
    assert told in {None, found["ContentDisposition"]}


@pytest.mark.parametrize("bucket", ["none", "%00", "%2e%2e", "..%2F..%2F.."])
@pytest.mark.parametrize("key", ["k", "%00", ".."])
def test_no_other_name_is_a_bucket(service: Service, bucket: str, key: str) -> None:
    """Nor does it get as far as a path, whether the key can be one or not."""
    for method, operation in (("GET", "GetObject"), ("PUT", "PutObject"), ("DELETE", "DeleteObject")):
        sent = Sent(method, f"/{bucket}/{key}", {}, b"")
        answer = exchange(urlsplit(service.url).netloc, sent, models.operation_model("s3", operation))
        assert answer.parsed["Error"]["Code"] == "NoSuchBucket"


def test_a_key_that_xml_cannot_tell_does_not_spoil_the_list(service: Service) -> None:
    """boto3 asks for keys in URL encoding and gets it; who does not, a replacement character."""
    service.s3.put_object(Bucket=contents.BUCKET, Key="odd/\x01", Body=b"")
    listed = service.s3.list_objects_v2(Bucket=contents.BUCKET, Prefix="odd/")
    assert [item["Key"] for item in listed["Contents"]] == ["odd/\x01"]
    sent = Sent("GET", f"/{contents.BUCKET}?list-type=2&prefix=odd/", {}, b"")
    plain = exchange(urlsplit(service.url).netloc, sent, models.operation_model("s3", "ListObjectsV2"))
    assert [item["Key"] for item in plain.parsed["Contents"]] == ["odd/\ufffd"]
