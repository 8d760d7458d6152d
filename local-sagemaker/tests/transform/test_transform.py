"""Batch transform jobs, by boto3 over HTTP, on a real model process."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

import gzip
import json
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from sagemaker_kit import serving
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import make_model, until

TERMINAL = {"Completed", "Failed", "Stopped"}


@pytest.fixture
def service(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service with the model `first` and the buckets `in` and `out`."""
    started = start_service("--image", str(serving.image(tmp_path / "image")))
    make_model(started, "first")
    for bucket in ("in-data", "out-data"):
        started.s3.create_bucket(Bucket=bucket)
    return started


def put(service: Service, **files: bytes | str) -> None:
    """Put input files; `__` in a name stands for `/`."""
    for name, content in files.items():
        body = content.encode() if isinstance(content, str) else content
        service.s3.put_object(Bucket="in-data", Key=f"batch/{name.replace('__', '/')}", Body=body)


def begin(service: Service, name: str, model: str = "first", **more: Any) -> None:
    """Create a job over everything in `in-data/batch/`; `more` overrides members of the request."""
    given = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://in-data/batch/"}}
    request = {
        "TransformInput": {"DataSource": given, "ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {
            "S3OutputPath": f"s3://out-data/{name}",
            "Accept": "text/csv",
            "AssembleWith": "Line",
        },
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    for member, value in more.items():
        known = request.get(member)
        request[member] = {**known, **value} if isinstance(known, dict) else value
    service.sagemaker.create_transform_job(TransformJobName=name, ModelName=model, **request)


def ended(service: Service, name: str) -> Any:
    """The description of a job once it has ended."""

    def look() -> dict[str, Any] | None:
        described = service.sagemaker.describe_transform_job(TransformJobName=name)
        return described if described["TransformJobStatus"] in TERMINAL else None

    return until(look, f"the end of {name}", 60)


def run(service: Service, name: str, **more: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Create a job and wait for it: its description and its outputs by key."""
    begin(service, name, **more)
    return ended(service, name), outputs(service, name)


def outputs(service: Service, name: str) -> dict[str, str]:
    """What a job has put, by the key below its output path."""
    found = service.s3.list_objects_v2(Bucket="out-data", Prefix=f"{name}/").get("Contents", [])
    return {
        item["Key"].removeprefix(f"{name}/"): service.s3.get_object(Bucket="out-data", Key=item["Key"])[
            "Body"
        ]
        .read()
        .decode()
        for item in found
    }


def test_every_file_gets_its_output_in_order(service: Service) -> None:
    """Outputs mirror the inputs' places; every record has its line, in the order of the records."""
    put(service, a="x,1\nyy,2\n", sub__b="zzz,3")
    described, found = run(service, "mirror")

    assert described["TransformJobStatus"] == "Completed"
    assert described["TransformEndTime"] >= described["TransformStartTime"]
    assert found == {"a.out": "3,x\n4,yy\n", "sub/b.out": "5,zzz\n"}


def test_ids_are_held_back_and_joined_to_the_answers(service: Service) -> None:
    """InputFilter, JoinSource and OutputFilter together: the usual way to score records with ids."""
    put(service, a="id-1,x,1\nid-2,yy,2\n")
    _, found = run(
        service,
        "joined",
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1,-2]"},
    )
    assert found == {"a.out": "id-1,x,3\nid-2,yy,4\n"}


def test_json_lines_are_joined(service: Service) -> None:
    """A JSON object gets its answer as SageMakerOutput."""
    put(service, a='{"id": 1, "x": [1, 2]}\n{"id": 2, "x": []}\n')
    _, found = run(
        service,
        "lines",
        TransformInput={"ContentType": "application/jsonlines"},
        TransformOutput={"Accept": "application/jsonlines"},
        DataProcessing={
            "InputFilter": "$.x",
            "JoinSource": "Input",
            "OutputFilter": "$['id','SageMakerOutput']",
        },
    )
    assert [json.loads(line) for line in found["a.out"].splitlines()] == [
        {"id": 1, "SageMakerOutput": {"size": 6}},
        {"id": 2, "SageMakerOutput": {"size": 2}},
    ]


def test_gzip_input_is_unpacked(service: Service) -> None:
    """Compressed input gives plain output under the input's name."""
    put(service, **{"a.gz": gzip.compress(b"x,1\n")})
    _, found = run(service, "packed", TransformInput={"CompressionType": "Gzip"})

    assert found == {"a.gz.out": "3,x\n"}


def test_a_whole_file_is_one_request(service: Service) -> None:
    """Without SplitType a file is sent as it is, and its answer kept as it is."""
    put(service, a="x,1\nyy,2\n")
    _, found = run(
        service, "whole", TransformInput={"SplitType": "None"}, TransformOutput={"AssembleWith": "None"}
    )
    assert found == {"a.out": "3,x\n4,yy\n"}


def test_a_manifest_names_the_inputs(service: Service) -> None:
    """Only what the manifest lists is transformed, under its relative name."""
    put(service, a="x,1\n", b="y,1\n")
    manifest = json.dumps([{"prefix": "s3://in-data/batch/"}, "b"])
    service.s3.put_object(Bucket="in-data", Key="list.manifest", Body=manifest)
    source = {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": "s3://in-data/list.manifest"}}
    _, found = run(service, "listed", TransformInput={"DataSource": source})

    assert found == {"b.out": "3,y\n"}


def test_a_bad_record_costs_its_file_alone(service: Service) -> None:
    """The file with the record the model refuses has no output, the others have, and the job is Failed."""
    put(service, good="x,1\n", poor="x,1\nbad\n")
    described, found = run(service, "partly", BatchStrategy="SingleRecord")

    assert described["TransformJobStatus"] == "Failed"
    assert "1 of 2 files could not be transformed" in described["FailureReason"]
    assert "poor: The model answered with status 400: a bad record" in described["FailureReason"]
    assert found == {"good.out": "3,x\n"}


def test_whatever_a_line_holds_costs_its_file_alone(service: Service) -> None:
    """Broken and deeply nested JSON fail their files by name; digits beyond counting pass as they are."""
    digits = "7" * 5000
    put(service, deep="[" * 100_000, good='{"x": 1.0}\n', cut='{"x": 1', long=f'{{"x": {digits}}}\n')
    described, found = run(
        service,
        "faults",
        TransformInput={"ContentType": "application/jsonlines"},
        TransformOutput={"Accept": "application/jsonlines"},
        DataProcessing={"InputFilter": "$.x", "JoinSource": "Input", "OutputFilter": "$['x']"},
    )

    assert described["TransformJobStatus"] == "Failed"
    assert "2 of 4 files could not be transformed" in described["FailureReason"]
    assert "cut: " in described["FailureReason"]
    assert "deep: " in described["FailureReason"]
    assert found == {"good.out": "1.0\n", "long.out": f"{digits}\n"}


@pytest.mark.parametrize(
    ("content", "more", "words"),
    [
        ("x" * (1024 * 1024 + 1), {"MaxPayloadInMB": 1}, "larger than MaxPayloadInMB=1"),
        ("1\n", {"DataProcessing": {"InputFilter": "$[4]"}}, "leads nowhere"),
        (b"\x1f\x8bcut", {"TransformInput": {"CompressionType": "Gzip"}}, "a: "),
        (b'"\xff\n', {"DataProcessing": {"InputFilter": "$[0]"}}, "is no csv"),
        (b"not packed", {"TransformInput": {"CompressionType": "Gzip"}}, "a: "),
        (gzip.compress(b"x,1\n" * 99, mtime=0)[:-9], {"TransformInput": {"CompressionType": "Gzip"}}, "a: "),
    ],
)
def test_input_that_cannot_be_sent_says_why(
    service: Service, content: bytes | str, more: dict[str, Any], words: str
) -> None:
    """Each fault of an input file is the job's FailureReason."""
    put(service, a=content)
    described, found = run(service, "refused", **more)

    assert described["TransformJobStatus"] == "Failed"
    assert words in described["FailureReason"]
    assert found == {}


def test_no_input_at_all_fails(service: Service) -> None:
    """A prefix without objects is a mistake of the request."""
    described, _ = run(service, "nothing")

    assert described["TransformJobStatus"] == "Failed"
    assert "s3://in-data/batch/" in described["FailureReason"]


def test_the_container_is_told_and_asked_how_to_be_sent(service: Service) -> None:
    """The request's settings beat the container's own; what is not said is not in its environment."""
    told = json.dumps({"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 2})
    make_model(service, "picky", {"PARAMETERS": told})
    put(service, a="environment")
    begin(service, "told", model="picky", MaxConcurrentTransforms=2)
    assert ended(service, "told")["TransformJobStatus"] == "Completed"

    environment = json.loads(outputs(service, "told")["a.out"])
    assert environment["SAGEMAKER_BATCH"] == "true"
    assert environment["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] == "2"
    assert "SAGEMAKER_BATCH_STRATEGY" not in environment


def test_many_records_stay_in_order_over_several_instances(service: Service) -> None:
    """Concurrency of requests and instances changes nothing in the output."""
    rows = [f"{number}" for number in range(50_000)]
    put(service, a="\n".join(rows))
    _, found = run(
        service,
        "many",
        MaxPayloadInMB=1,
        MaxConcurrentTransforms=4,
        BatchStrategy="MultiRecord",
        TransformResources={"InstanceCount": 2},
    )
    assert found["a.out"].splitlines() == [f"{len(row)},{row}" for row in rows]


@pytest.mark.parametrize(
    ("more", "values"),
    [
        ({"TransformInput": {"SplitType": "RecordIO"}}, ("SplitType=RecordIO",)),
        ({"TransformInput": {"SplitType": "TFRecord"}}, ("SplitType=TFRecord",)),
        ({"DataProcessing": {"InputFilter": "x"}}, ("JSONPath 'x'",)),
        ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, (120, 100)),
        (
            {"TransformInput": {"ContentType": "image/png"}, "DataProcessing": {"JoinSource": "Input"}},
            ("JoinSource", "image/png"),
        ),
    ],
)
def test_a_request_that_cannot_work_is_refused_at_once(
    service: Service, more: dict[str, Any], values: tuple[object, ...]
) -> None:
    """Nothing is queued that is bound to fail."""
    with refused("ValidationException", *values):
        begin(service, "never", **more)


def test_names_and_missing_things_are_answered_as_awss(service: Service) -> None:
    """A taken name is ResourceInUse; a missing job and a missing model are ValidationException."""
    put(service, a="x,1\n")
    run(service, "taken")
    with refused("ResourceInUse"):
        begin(service, "taken")
    with refused("ValidationException", "Could not find", "none"):
        begin(service, "other", model="none")
    with refused("ValidationException"):
        service.sagemaker.describe_transform_job(TransformJobName="none")
    listed = service.sagemaker.list_transform_jobs(StatusEquals="Completed")["TransformJobSummaries"]
    assert [job["TransformJobName"] for job in listed] == ["taken"]


def test_a_model_that_does_not_start_fails_the_job(service: Service) -> None:
    """The reason has the container's exit and the log its last words."""
    make_model(service, "broken", {"CRASH": "no such feature: wind"})
    put(service, a="x,1\n")
    begin(service, "crash", model="broken")
    described = ended(service, "crash")

    assert described["TransformJobStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]


def test_a_stopped_job_keeps_nothing(service: Service) -> None:
    """Stopping ends the model's process too, and is no success."""
    make_model(service, "slow", {"SLOW": "60"})
    put(service, a="x,1\n")
    begin(service, "halt", model="slow")
    until(lambda: list(service.root.glob("jobs/transform-job/halt/run/process.json")), "the job's start")
    service.sagemaker.stop_transform_job(TransformJobName="halt")
    described = ended(service, "halt")

    assert described["TransformJobStatus"] == "Stopped"
    assert described["FailureReason"]
    assert outputs(service, "halt") == {}
    with refused("ValidationException", "Stopped"):
        service.sagemaker.stop_transform_job(TransformJobName="halt")


def test_a_job_survives_the_service(service: Service) -> None:
    """Killed while a job runs and started again, the service ends the job once, with whole outputs."""
    make_model(service, "steady", {"SLOW": "0.4"})
    put(service, **{f"part-{number}": f"x{number},1\n" for number in range(8)})
    begin(service, "endure", model="steady")
    run_file = service.root / "jobs/transform-job/endure/run/process.json"
    until(run_file.exists, "the job's start")
    service.kill()
    assert not list(service.root.glob("s3/out-data/**/*.out"))
    service.start()
    described = ended(service, "endure")

    assert described["TransformJobStatus"] == "Completed"
    assert outputs(service, "endure") == {f"part-{number}.out": f"4,x{number}\n" for number in range(8)}


def test_what_was_transformed_is_captured_by_name(service: Service) -> None:
    """Input and output lists name the objects of files that were transformed, by the hour of the job."""
    put(service, a="x,1\n", sub__b="zzz,3\n", bad="status 400 no\n")
    described, _ = run(service, "listed", DataCaptureConfig={"DestinationS3Uri": "s3://out-data/c/"})

    assert described["TransformJobStatus"] == "Failed"
    hour = f"{described['TransformStartTime'].astimezone(UTC):%Y/%m/%d/%H}"
    lists = {name: json.loads(text) for name, text in outputs(service, "c").items()}
    assert lists == {
        f"input/{hour}/listed.jsonl": [{"prefix": "s3://in-data/batch/"}, "a", "sub/b"],
        f"output/{hour}/listed.jsonl": [{"prefix": "s3://out-data/listed/"}, "a.out", "sub/b.out"],
    }


def test_without_a_capture_config_nothing_is_captured(service: Service) -> None:
    """Only the outputs are there."""
    put(service, a="x,1\n")
    run(service, "quiet")
    found = service.s3.list_objects_v2(Bucket="out-data")["Contents"]
    assert [item["Key"] for item in found] == ["quiet/a.out"]
