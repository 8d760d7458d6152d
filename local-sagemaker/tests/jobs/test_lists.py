"""List operations of jobs: filters, order, pages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local_sagemaker.protocol.models import operation_model
from local_sagemaker.services.sagemaker import (
    endpoint_configs,
    experiments,
    models,
    notebooks,
    processing,
    training,
    transform,
    tuning,
)
from local_sagemaker.services.sagemaker.endpoints import ENDPOINTS
from local_sagemaker.services.sagemaker.resources import ResourceType
from sagemaker_kit.jobs import Lab
from sagemaker_kit.refusals import refused

#: what the documentation of SortBy and SortOrder says
DEFAULT = re.compile(r"default (?:value )?is (\w+)")
TYPES: list[ResourceType] = [
    *(training.JOBS, processing.JOBS, transform.JOBS, tuning.JOBS, ENDPOINTS, endpoint_configs.CONFIGS),
    *(models.MODELS, models.PACKAGES, models.GROUPS, notebooks.INSTANCES, notebooks.CONFIGS),
    *(experiments.EXPERIMENTS, experiments.TRIALS, experiments.COMPONENTS),
]


@pytest.fixture
def jobs(lab: Lab) -> list[str]:
    """Five jobs that have ended, one of them badly, in the order of their names."""
    names = ["list-a", "list-b", "list-c", "list-d", "other"]
    for name in names:
        lab.train(name, "exit 1" if name == "list-c" else "true")
        lab.trained(name)
    return names


def names_of(answer: dict[str, Any]) -> list[str]:
    """The names in a page."""
    return [item["TrainingJobName"] for item in answer["TrainingJobSummaries"]]


def test_jobs_are_listed_oldest_first(lab: Lab, jobs: list[str]) -> None:
    """The order of AWS when none is asked for; one word of it alone changes that word."""
    assert names_of(lab.sagemaker.list_training_jobs()) == jobs
    assert names_of(lab.sagemaker.list_training_jobs(SortOrder="Descending")) == jobs[::-1]


@pytest.mark.parametrize("searched", TYPES, ids=[searched.noun for searched in TYPES])
def test_the_default_order_is_that_of_the_api_model(searched: ResourceType) -> None:
    """Whose documentation tells it; where it tells none, there is nothing to compare."""
    members = operation_model("sagemaker", f"List{searched.noun}s").input_shape.members  # type: ignore[union-attr]
    for member, word in zip(("SortBy", "SortOrder"), searched.order, strict=True):
        told = DEFAULT.search(re.sub("<.*?>", "", members[member].documentation))
        assert told is None or told[1] == word


def test_pages_hold_every_job_once(lab: Lab, jobs: list[str]) -> None:
    """boto3's paginator goes through all pages in both orders."""
    for order in ("Ascending", "Descending"):
        for sort_by in ("Name", "CreationTime"):
            pages = lab.sagemaker.get_paginator("list_training_jobs").paginate(
                SortBy=sort_by, SortOrder=order, PaginationConfig={"PageSize": 2}
            )
            found = [names_of(page) for page in pages]
            assert [len(page) for page in found] == [2, 2, 1]
            expected = jobs if order == "Ascending" else jobs[::-1]
            assert [name for page in found for name in page] == expected


def test_filters_narrow_a_list(lab: Lab, jobs: list[str]) -> None:
    """By part of the name, status, and time of creation."""
    ask = lab.sagemaker.list_training_jobs
    assert names_of(ask(NameContains="LIST-", SortBy="Name", SortOrder="Ascending")) == jobs[:4]
    assert names_of(ask(StatusEquals="Failed")) == ["list-c"]
    middle = lab.sagemaker.describe_training_job(TrainingJobName="list-c")["CreationTime"]
    assert names_of(ask(CreationTimeAfter=middle.replace(microsecond=0), StatusEquals="Failed")) == ["list-c"]
    assert names_of(ask(CreationTimeBefore=middle.replace(year=2000))) == []


@pytest.mark.usefixtures("jobs")
def test_a_summary_tells_the_state(lab: Lab) -> None:
    """What a page shows of a job."""
    [found] = lab.sagemaker.list_training_jobs(NameContains="list-c")["TrainingJobSummaries"]
    assert found["TrainingJobStatus"] == "Failed"
    assert found["CreationTime"] <= found["TrainingEndTime"] <= found["LastModifiedTime"]


def test_a_token_of_no_page_is_refused(lab: Lab) -> None:
    """An invented NextToken is the client's mistake."""
    with refused("ValidationException", "NextToken"):
        lab.sagemaker.list_training_jobs(NextToken="bm9uc2Vuc2U=")


def test_processing_jobs_are_listed_too(lab: Lab) -> None:
    """The same machinery, another noun."""
    lab.process("p-bad", "echo why > /opt/ml/output/message; exit 1")
    lab.processed("p-bad")
    [found] = lab.sagemaker.list_processing_jobs(StatusEquals="Failed")["ProcessingJobSummaries"]
    assert (found["ProcessingJobName"], found["ExitMessage"]) == ("p-bad", "why")
