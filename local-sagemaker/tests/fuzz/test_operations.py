"""Made-up requests of every emulated operation, to a service with one of everything: none is its mistake."""
# ruff: noqa: ANN401 (values of a model's shapes can be anything)

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from local_sagemaker import services
from local_sagemaker.protocol import models
from local_sagemaker.services.registry import OPERATIONS
from sagemaker_kit import fuzz_contents as contents
from sagemaker_kit.fuzz_broken import spoilt
from sagemaker_kit.fuzz_valid import Valid, emulated
from sagemaker_kit.fuzz_wire import Answer, exchange, written
from sagemaker_kit.fuzz_world import World, images
from sagemaker_kit.service import Service

services.load()
#: what is answered past the table of operations
PAST_THE_TABLE = {
    ("sagemaker-runtime", "InvokeEndpoint"),
    ("sagemaker-runtime", "InvokeEndpointWithResponseStream"),
}
#: these come last, since they take away what others need
ENDS = ("Abort", "Complete", "Delete", "Disassociate", "Stop", "Update")
KINDS = sorted(
    {*OPERATIONS, *PAST_THE_TABLE}, key=lambda kind: (kind[1].startswith(ENDS), "Bucket" in kind[1], kind)
)
#: members that keep notebook instances from getting as far as a JupyterLab each: their scripts fail
FORCED: dict[str, dict[str, Any]] = {
    "CreateNotebookInstance": {"LifecycleConfigName": contents.FAILING},
    "UpdateNotebookInstance": {
        "LifecycleConfigName": contents.FAILING,
        "DisassociateLifecycleConfig": False,
    },
    "UpdateNotebookInstanceLifecycleConfig": {"NotebookInstanceLifecycleConfigName": "spare"},
    "DeleteNotebookInstanceLifecycleConfig": {"NotebookInstanceLifecycleConfigName": "spare"},
}
#: what ends that a request of this name has begun, and the member that names it
ENDED_BY = {
    "CreateEndpoint": ("DeleteEndpoint", "EndpointName"),
    "CreateHyperParameterTuningJob": ("StopHyperParameterTuningJob", "HyperParameterTuningJobName"),
    "CreateNotebookInstance": ("StopNotebookInstance", "NotebookInstanceName"),
    "StartNotebookInstance": ("StopNotebookInstance", "NotebookInstanceName"),
}
NEW_NAMES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=12, max_size=12)
#: requests of one operation in the fast suite
FEW = 4
#: nobody's mistake: S3's NotImplemented
NOT_IMPLEMENTED = 501


@pytest.fixture(scope="module")
def world(
    start_shared_service: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A service with one of everything; it must be sound when all requests have been sent."""
    folder: Path = tmp_path_factory.mktemp("images")
    made = World(start_shared_service(*images(folder)))
    yield made
    made.check()


def requests(world: World, operation: Any) -> st.SearchStrategy[Any]:
    """Requests that keep to the model, and as many that do not."""
    made = parameters(world, operation)
    if operation.input_shape is not None:
        kind = operation.service_model.service_name, operation.name, operation.input_shape
        honoured = made.map(lambda given: emulated(*kind, given))
        made = st.one_of(honoured, honoured, made)
    valid = made.map(lambda given: written(operation, {**given, **FORCED.get(operation.name, {})}))
    return st.one_of(valid, valid.flatmap(spoilt))


def parameters(world: World, operation: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Parameters made up from nothing, or near those that made the world; what is created has a new name."""
    shape = operation.input_shape
    if shape is None:
        return st.just({})
    valid, name = Valid(world.words), f"{operation.name.removeprefix('Create')}Name"
    known = world.known.get((operation.service_model.service_name, operation.name), [])
    near = [valid.near(shape, each) for each in known[:3]]
    if name in shape.members and operation.name.startswith("Create"):
        near = [st.builds(lambda given, new: {**given, name: new}, each, NEW_NAMES) for each in near]
    return st.one_of(valid.structures(shape), *near)


def tidy(world: World, operation: Any, sent: Any, answer: Answer) -> None:
    """End what the request has begun and would go on for long."""
    if answer.status == 200 and operation.name in ENDED_BY:
        ending, member = ENDED_BY[operation.name]
        parameters = {member: json.loads(sent.body)[member]}
        told = 200
        try:
            getattr(world.service.sagemaker, xform_name(ending))(**parameters)
        except ClientError as error:  # it may have ended by itself, which is the client's mistake
            told = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert told < 500, (ending, sent)


@pytest.mark.parametrize("examples", [FEW, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize(("service", "name"), KINDS)
def test_no_request_is_a_mistake_of_the_service(world: World, service: str, name: str, examples: int) -> None:
    """Every answer is a result or an error of the client's that botocore can read."""
    operation = models.operation_model(service, name)
    address = urlsplit(world.service.url).netloc

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=examples == FEW,  # the others are new ones each time
        database=None,
        phases=[Phase.generate],  # a smaller example is not worth hundreds of requests more
        suppress_health_check=list(HealthCheck),
    )
    @given(sent=requests(world, operation))
    def is_answered(sent: Any) -> None:
        answer = exchange(address, sent, operation)
        assert answer.status < 500 or answer.status == NOT_IMPLEMENTED, (sent, answer)
        tidy(world, operation, sent, answer)

    is_answered()
