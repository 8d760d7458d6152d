"""Requests that an asynchronous endpoint has accepted outlive the service."""

from collections.abc import Callable
from pathlib import Path

from sagemaker_kit import serving
from sagemaker_kit.asynchronous import in_flight, prepare, submit, text
from sagemaker_kit.service import Service
from sagemaker_kit.serving import until


def test_accepted_requests_survive_a_kill(start_service: Callable[..., Service], tmp_path: Path) -> None:
    """Those in flight and those that wait are answered after the restart, each once."""
    service = prepare(start_service("--image", str(serving.image(tmp_path / "image"))))
    latch = tmp_path / "latch"
    held = [submit(service, f"hold {latch}") for _ in range(2)]
    queued = [submit(service, f"{number},x") for number in range(8)]
    until(lambda: in_flight(service, "later") == 2, "the first two invocations")
    service.restart()
    queued += [submit(service, f"{number},x") for number in range(8, 10)]
    latch.touch()

    assert [text(service, one["OutputLocation"]) for one in queued] == [
        f"3,{number}\n" for number in range(10)
    ]
    assert {text(service, one["OutputLocation"]).isdigit() for one in held} == {True}
    written = service.s3.list_objects_v2(Bucket="answers")["Contents"]
    assert {f"s3://answers/{item['Key']}" for item in written} == {
        one["OutputLocation"] for one in (*held, *queued)
    }
    service.restart()
    again = service.s3.list_objects_v2(Bucket="answers")["Contents"]
    assert [item["LastModified"] for item in again] == [item["LastModified"] for item in written]
