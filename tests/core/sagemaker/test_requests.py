"""The requests are what botocore's own model of SageMaker takes, and keep the job contract."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from include.core.cycle import Cycle
from include.core.layout import Interval
from include.core.monitoring import Monitoring
from include.core.sagemaker import requests
from include.core.sagemaker.requests import JobSpec, Source
from include.core.settings import Settings
from tests.examples import not_none

MODEL = botocore.session.get_session().get_service_model("sagemaker")
SETTINGS = Settings(threads=3)


@pytest.fixture
def job(cycle: Cycle) -> JobSpec:
    """A job of the flights' January."""
    return JobSpec(
        name="flights-clean-20130101-0123456789ab",
        step="clean",
        cycle=cycle,
        interval=Interval(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC)),
        key="k",
        code_uri="s3://b/code/x.tar.gz",
        output_uri="s3://b/flights/clean/i/k/",
        settings=SETTINGS,
    )


def problems(operation: str, request: dict[str, Any]) -> str:
    """What botocore finds wrong with a request."""
    shape = not_none(MODEL.operation_model(operation).input_shape)
    return str(ParamValidator().validate(request, shape).generate_report())


def test_every_request_is_valid(job: JobSpec, cycle: Cycle) -> None:
    """Botocore finds nothing wrong with any of them."""
    made = {
        "CreateProcessingJob": requests.processing(job, {"fetch": Source("s3://b/f/")}, {"a": "b"}),
        "CreateTrainingJob": requests.training(job, {"train": Source("s3://b/t/")}),
        "CreateTransformJob": requests.transform(job, "model", "s3://b/batch/"),
        "CreateModel": requests.model("m", "s3://b/model.tar.gz", SETTINGS),
        "CreateEndpointConfig": requests.endpoint_config("c", cycle, "m", SETTINGS),
        "CreateModelPackage": requests.model_package(
            cycle,
            model_uri="s3://b/model.tar.gz",
            evaluation_uri="s3://b/evaluation.json",
            approval="Approved",
            properties={"key": "k"},
            settings=SETTINGS,
        ),
    }
    assert {operation: problems(operation, request) for operation, request in made.items()} == dict.fromkeys(
        made, ""
    )


def test_a_processing_job_is_told_its_step_and_interval(job: JobSpec) -> None:
    """The arguments are pairs of --name and value after the step's name."""
    made = requests.processing(job, {}, {"known-until": "x"})["AppSpecification"]
    assert made["ContainerEntrypoint"] == ["process"]
    assert made["ContainerArguments"] == [
        "clean",
        *("--cycle", "flights"),
        *("--start", "2013-01-01T00:00:00+00:00"),
        *("--end", "2013-02-01T00:00:00+00:00"),
        *("--key", "k"),
        *("--known-until", "x"),
    ]


def test_inputs_appear_below_their_names_with_the_code_among_them(job: JobSpec) -> None:
    """A list of files is given as one input."""
    made = requests.processing(job, {"clean": Source("s3://b/m.json", "ManifestFile")}, {})
    inputs = {i["InputName"]: i["S3Input"] for i in made["ProcessingInputs"]}
    assert {name: i["LocalPath"] for name, i in inputs.items()} == {
        "code": "/opt/ml/processing/input/code",
        "clean": "/opt/ml/processing/input/clean",
    }
    assert inputs["clean"]["S3DataType"] == "ManifestFile"
    assert inputs["code"]["S3Uri"] == job.code_uri


def test_a_training_job_is_told_by_hyperparameters(job: JobSpec) -> None:
    """The cycle's own stand beside what every job is told."""
    made = requests.training(job, {"train": Source("s3://b/t/"), "validation": Source("s3://b/v/")})
    assert made["HyperParameters"] == {**job.common_parameters, "depth": "3"}
    assert [channel["ChannelName"] for channel in made["InputDataConfig"]] == ["train", "validation", "code"]


def test_the_thread_count_travels_in_the_environment(job: JobSpec) -> None:
    """For numeric libraries and for ours, in processing and in training."""
    expected = {"OMP_NUM_THREADS": "3", "FLYWHEEL_THREADS": "3"}
    assert requests.processing(job, {}, {})["Environment"] == expected
    assert requests.training(job, {})["Environment"] == expected


def test_metric_definitions_read_a_metric_line(job: JobSpec) -> None:
    """One metric is not mistaken for another whose name ends alike."""
    definitions = requests.training(job, {})["AlgorithmSpecification"]["MetricDefinitions"]
    line = " ".join(f"{d['Name']}={number}" for number, d in enumerate(definitions))
    found = {d["Name"]: not_none(re.search(d["Regex"], f"x{line}"))[1] for d in definitions[1:]}
    assert found == {d["Name"]: str(number) for number, d in enumerate(definitions) if number}


def test_batch_transform_hides_the_event_id_from_the_model(job: JobSpec) -> None:
    """It goes around the model, and comes back before the answer."""
    made = requests.transform(job, "model", "s3://b/batch/")
    assert made["DataProcessing"] == {
        "InputFilter": "$[1:]",
        "JoinSource": "Input",
        "OutputFilter": "$[0,-2,-1]",
    }


def test_everything_that_an_endpoint_answers_is_captured_as_text(cycle: Cycle) -> None:
    """Without the list of content types SageMaker writes base64."""
    capture = requests.endpoint_config("c", cycle, "m", SETTINGS)["DataCaptureConfig"]
    assert capture["InitialSamplingPercentage"] == 100
    assert "application/jsonlines" in capture["CaptureContentTypeHeader"]["JsonContentTypes"]


def test_private_columns_are_not_captured(cycle: Cycle) -> None:
    """A request holds all columns, so of a cycle with private ones only answers are captured."""
    private = replace(cycle, monitoring=Monitoring(private=("tailnum",)))
    modes = {
        name: [option["CaptureMode"] for option in request["DataCaptureConfig"]["CaptureOptions"]]
        for name, request in (
            ("open", requests.endpoint_config("c", cycle, "m", SETTINGS)),
            ("private", requests.endpoint_config("c", private, "m", SETTINGS)),
        )
    }
    assert modes == {"open": ["Input", "Output"], "private": ["Output"]}
