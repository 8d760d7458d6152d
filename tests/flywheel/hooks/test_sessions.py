"""Sessions of boto3 share what botocore has read."""

from __future__ import annotations

import boto3

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.sagemaker.client import share, shared_loader, warm
from include.core.settings import Settings


def test_two_hooks_share_one_loader(installed: Settings) -> None:
    """What one has read, the other does not read again."""
    hooks = [SageMakerHook(installed.aws_conn_id) for _ in range(2)]
    read = shared_loader().load_service_model("sagemaker", "service-2")
    for hook in hooks:
        assert hook.api.meta.service_model.metadata is read["metadata"]


def test_warming_reads_the_models_before_they_are_asked_for() -> None:
    """A client made afterwards has the very same model."""
    warm()
    description = shared_loader().load_service_model("sagemaker", "service-2")
    session = share(boto3.session.Session("x", "x", region_name="us-east-1"))
    assert session.client("sagemaker").meta.service_model.metadata is description["metadata"]


def test_forgetting_the_clients_makes_new_ones(installed: Settings) -> None:
    """One that a signal interrupted is of no use any more."""
    hook = SageMakerHook(installed.aws_conn_id)
    first = hook.api
    hook.forget_clients()
    assert hook.api is not first
