"""The framework image of scikit-learn: a user's script trains, serves, transforms and processes."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from sagemaker_kit import serving
from sagemaker_kit.jobs import ROLE, Lab
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
TRAIN = """
import argparse, json, os, pathlib
import joblib, numpy as np
from sklearn.linear_model import LinearRegression
from helper import WORD

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--intercept", type=float)
    parser.add_argument("--note", default="")
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
    given = parser.parse_args()
    rows = np.loadtxt(pathlib.Path(given.train) / "rows.csv", delimiter=",")
    model = LinearRegression().fit(rows[:, :1], rows[:, 1] + given.intercept)
    joblib.dump(model, pathlib.Path(given.model_dir) / "model.joblib")
    seen = {name: value for name, value in os.environ.items() if name.startswith("SM_")}
    pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "seen.json").write_text(json.dumps(seen))
    print(f"{WORD} note={given.note} slope={model.coef_[0]:.3f}")

def model_fn(model_dir):
    return joblib.load(pathlib.Path(model_dir) / "model.joblib")
"""
FAIL = "import sys; print('about to fail'); sys.exit('no such column: x9')"


def source(**files: str) -> bytes:
    """A sourcedir.tar.gz of these files; `_py` ends a name for `.py`."""
    return serving.archive({name.replace("_py", ".py"): text.encode() for name, text in files.items()})


@pytest.fixture
def lab(start_service: Callable[..., Service]) -> Lab:
    """A service with nothing but the images that are always there, and data: y = 2 x."""
    made = Lab(start_service())
    made.put(data__rows_csv="1,2\n2,4\n3,6\n")
    return made


def fit(lab: Lab, name: str, packed: bytes, **hyperparameters: Any) -> dict[str, Any]:
    """Train in script mode as the SDK asks for it; the job's description when it has ended."""
    lab.s3.put_object(Bucket="lab", Key=f"{name}/source/sourcedir.tar.gz", Body=packed)
    given = {
        "sagemaker_program": "fit.py",
        "sagemaker_submit_directory": f"s3://lab/{name}/source/sourcedir.tar.gz",
        "sagemaker_job_name": name,
        "sagemaker_container_log_level": 20,
        "sagemaker_region": "us-east-1",
        **hyperparameters,
    }
    place = {"S3DataType": "S3Prefix", "S3Uri": "s3://lab/data"}
    lab.train(
        name,
        "",
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        HyperParameters={key: json.dumps(value) for key, value in given.items()},
        InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": place}}],
    )
    return lab.trained(name)


@pytest.fixture
def model(lab: Lab) -> str:
    """The name of a model that was trained by the script and is served by it."""
    packed = source(fit_py=TRAIN, helper_py="WORD = 'fitted'")
    found = fit(lab, "fit", packed, intercept=1.0, note="a b")
    assert found["TrainingJobStatus"] == "Completed", found.get("FailureReason")
    lab.sagemaker.create_model(
        ModelName="line",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": IMAGE,
            "ModelDataUrl": found["ModelArtifacts"]["S3ModelArtifacts"],
            "Environment": {
                "SAGEMAKER_PROGRAM": "fit.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": "s3://lab/fit/source/sourcedir.tar.gz",
            },
        },
    )
    return "line"


@pytest.mark.usefixtures("model")
def test_a_script_trains_with_its_options_and_variables(lab: Lab) -> None:
    """Hyperparameters become options, channels and places become SM_* variables."""
    assert "fitted note=a b slope=2.000" in lab.lines("TrainingJobs", "fit")
    seen = json.loads(lab.unpacked("out/fit/output/output.tar.gz")["seen.json"])
    assert seen["SM_CHANNEL_TRAIN"].endswith("/input/data/train")
    assert json.loads(seen["SM_HPS"]) == {"intercept": 1.0, "note": "a b"}
    assert json.loads(seen["SM_HOSTS"]) == ["algo-1"]
    assert (seen["SM_CURRENT_HOST"], seen["SM_NUM_GPUS"], seen["SM_HP_NOTE"]) == ("algo-1", "0", "a b")


def test_the_model_answers_by_the_defaults(lab: Lab, model: str) -> None:
    """CSV, JSON and NPY in and out; what it cannot read or write is refused with the container's words."""
    serving.deploy(lab.service, "line", serving.variant(model))

    def ask(body: bytes | str, content_type: str, accept: str) -> Any:
        answer = lab.service.runtime.invoke_endpoint(
            EndpointName="line", Body=body, ContentType=content_type, Accept=accept
        )
        return answer["ContentType"], answer["Body"].read()

    kind, body = ask("1\n4\n", "text/csv", "application/json")
    assert (kind, json.loads(body)) == ("application/json", pytest.approx([3, 9]))
    kind, body = ask("[[1], [4]]", "application/json", "text/csv")
    assert kind == "text/csv"
    assert [float(line) for line in body.split()] == pytest.approx([3, 9])
    with refused("ModelError", "text/xml") as error:
        ask("<x/>", "text/xml", "application/json")
    assert error["OriginalStatusCode"] == 415
    with refused("ModelError", "ValueError"):
        ask("one\n", "text/csv", "application/json")


def test_a_batch_transform_uses_the_script(lab: Lab, model: str) -> None:
    """A line for each line."""
    place = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lab/batch"}}
    lab.put(batch__in_csv="1\n4\n")
    lab.sagemaker.create_transform_job(
        TransformJobName="lines",
        ModelName=model,
        TransformInput={"DataSource": place, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": "s3://lab/scored", "Accept": "text/csv", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )

    def status() -> Any:
        found = lab.sagemaker.describe_transform_job(TransformJobName="lines")
        return found if found["TransformJobStatus"] not in {"InProgress", "Stopping"} else None

    found = serving.until(status, "the end of the transform job")
    assert found["TransformJobStatus"] == "Completed", found
    assert [float(line) for line in lab.read("scored/in.csv.out").split()] == pytest.approx([3, 9])


def test_functions_of_the_user_come_before_the_defaults(lab: Lab) -> None:
    """input_fn and output_fn of inference.py, packed within the model as SDKs do."""
    script = (
        "def model_fn(d): return 10\n"
        "def input_fn(body, content_type): return int(body)\n"
        "def predict_fn(data, model): return data * model\n"
        "def output_fn(found, accept): return f'<{found}>', 'text/plain'\n"
    )
    lab.s3.put_object(
        Bucket="lab", Key="m.tar.gz", Body=serving.archive({"code/inference.py": script.encode()})
    )
    lab.sagemaker.create_model(
        ModelName="own",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://lab/m.tar.gz"},
    )
    serving.deploy(lab.service, "own", serving.variant("own"))
    assert serving.ask(lab.service, "own", "4") == "<40>"


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (source(fit_py=FAIL), ["ExecuteUserScriptError", "ExitCode 1", "no such column: x9"]),
        (source(other_py=""), ["ClientError: There is no fit.py", "other.py"]),
        (b"no archive", ["ClientError: Cannot unpack"]),
    ],
    ids=["script", "name", "archive"],
)
def test_a_failure_says_why(lab: Lab, packed: bytes, words: list[str]) -> None:
    """The script's own last words, or what is wrong with the archive."""
    found = fit(lab, "bad", packed)
    assert found["TrainingJobStatus"] == "Failed"
    for word in words:
        assert word in found["FailureReason"]


def test_an_archive_cannot_leave_its_folder(lab: Lab) -> None:
    """A member with `..` in its name is refused, and nothing of it is written."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in ("fit.py", "../../escaped.py"):
            member = tarfile.TarInfo(name)
            member.size = 6
            tar.addfile(member, io.BytesIO(b"print\n"))
    found = fit(lab, "evil", packed.getvalue())
    assert found["TrainingJobStatus"] == "Failed"
    assert "Cannot unpack" in found["FailureReason"]


def test_requirements_that_are_not_there_are_told(lab: Lab) -> None:
    """The environment is not changed; the log says what it lacks."""
    packed = serving.archive(
        {"fit.py": b"print('ran')", "requirements.txt": b"numpy\nno-such-package-here==1\n"}
    )
    assert fit(lab, "req", packed)["TrainingJobStatus"] == "Completed"
    lines = lab.lines("TrainingJobs", "req")
    assert "ran" in lines
    assert any("not there: no-such-package-here." in line for line in lines)


def test_a_script_processor_runs_a_script(lab: Lab) -> None:
    """python3 is the interpreter of the image, with scikit-learn."""
    script = "import sklearn, sys, pathlib; pathlib.Path('/opt/ml/processing/out/v').write_text(sys.argv[1])"
    lab.s3.put_object(Bucket="lab", Key="code/go.py", Body=script)
    place = {"S3DataType": "S3Prefix", "S3InputMode": "File", "S3Uri": "s3://lab/code/go.py"}
    output = {
        "S3Uri": "s3://lab/processed",
        "LocalPath": "/opt/ml/processing/out",
        "S3UploadMode": "EndOfJob",
    }
    lab.process(
        "script",
        "",
        AppSpecification={
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/go.py"],
            "ContainerArguments": ["word"],
        },
        ProcessingInputs=[
            {"InputName": "code", "S3Input": {**place, "LocalPath": "/opt/ml/processing/input/code"}}
        ],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "out", "S3Output": output}]},
    )
    found = lab.processed("script")
    assert found["ProcessingJobStatus"] == "Completed", found
    assert lab.read("processed/v") == b"word"
