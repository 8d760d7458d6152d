"""What jobs make lead out of their folders is not followed by the service, which may read more than they."""
# ruff: noqa: ANN401 (the lab is a fixture)

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def secret(lab: Any) -> str:
    """A folder outside of every job, with a file that no object may ever hold."""
    folder = lab.service.root / "private"
    folder.mkdir()
    (folder / "failure").write_text("the service's own")
    return str(folder)


def test_links_in_place_of_outputs_bring_nothing(lab: Any, secret: str) -> None:
    """The model's folder, that of the output, and the failure's file, each replaced by a link."""
    lab.train("model", f"rm -rf /opt/ml/model; ln -s {secret} /opt/ml/model")
    lab.train(
        "output", f"mkdir -p /opt/ml/output; rm -rf /opt/ml/output/data; ln -s {secret} /opt/ml/output/data"
    )
    lab.train("failure", f"ln -sf {secret}/failure /opt/ml/output/failure; exit 3")
    found = {name: lab.trained(name) for name in ("model", "output", "failure")}

    assert {name: each["TrainingJobStatus"] for name, each in found.items()} == dict.fromkeys(found, "Failed")
    assert "symbolic link" in found["model"]["FailureReason"]
    assert "symbolic link" in found["output"]["FailureReason"]
    assert "own" not in found["failure"]["FailureReason"]
    assert lab.keys("out/model/") == []


def test_a_pipe_in_place_of_the_message_holds_nobody_up(lab: Any, secret: str) -> None:
    """A processing job whose output leads elsewhere fails; its message, a pipe without a writer, is empty."""
    output = {"S3Uri": "s3://lab/links", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    lab.process(
        "links",
        "mkfifo /opt/ml/output/message; rm -rf /opt/ml/processing/output; "
        f"ln -s {secret} /opt/ml/processing/output",
        ProcessingOutputConfig={"Outputs": [{"OutputName": "links", "S3Output": output}]},
    )
    found = lab.processed("links")

    assert (found["ProcessingJobStatus"], found.get("ExitMessage")) == ("Failed", None)
    assert "symbolic link" in found["FailureReason"]
    assert lab.keys("links") == []
