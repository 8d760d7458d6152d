"""CloudWatch Logs: what ends logs, by the hand of a client or by their age."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from local_sagemaker.engine.endpoints.rollout import KIND as ENDPOINT_KIND
from local_sagemaker.engine.jobs import pool
from local_sagemaker.engine.notebooks import home
from local_sagemaker.engine.notebooks.notebooks import KIND as NOTEBOOK_KIND
from local_sagemaker.engine.processes import logs as files
from local_sagemaker.errors import AwsError
from local_sagemaker.services import logs
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.storage.store import Resource, TakenError

#: what PutRetentionPolicy takes
RETENTION_DAYS = (
    *(
        1,
        3,
        5,
        7,
        14,
        30,
        60,
        90,
        120,
        150,
        180,
        365,
        400,
        545,
        731,
        1096,
        1827,
        2192,
        2557,
        2922,
        3288,
        3653,
    ),
)
ENDPOINT_GROUPS = "/aws/sagemaker/Endpoints/"


class OperationAbortedException(AwsError):  # noqa: N818 (the code's name)
    """Something else is under way with the log."""


@operation("logs", "DeleteLogStream")
def delete_log_stream(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a stream with its events, once nothing writes to it any more."""
    group, name = parameters["logGroupName"], parameters["logStreamName"]
    path = logs.find_stream(context, group, name)
    _refuse_live(context, group, [name])
    path.unlink(missing_ok=True)


@operation("logs", "DeleteLogGroup")
def delete_log_group(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a group with its streams and its retention policy, once nothing writes to it any more."""
    group = parameters["logGroupName"]
    names = logs.find_streams(context, group)
    _refuse_live(context, group, names)
    for name in names:
        files.path(context.root, group, name).unlink(missing_ok=True)
    with suppress(OSError):  # a stream that has just begun keeps its group
        files.folder(context.root, group).rmdir()
    context.store.delete(logs.RETENTION_KIND, group)


@operation("logs", "PutRetentionPolicy")
def put_retention_policy(context: Context, parameters: dict[str, Any]) -> None:
    """Keep for how long a group's events are shown; older ones stay on the disk until they are deleted."""
    group, days = parameters["logGroupName"], parameters["retentionInDays"]
    logs.find_streams(context, group)
    if days not in RETENTION_DAYS:
        raise logs.InvalidParameterException(
            f"retentionInDays {days} is none of {', '.join(map(str, RETENTION_DAYS))}."
        )
    now, document = time.time(), {"retentionInDays": days}
    arn = context.arn("logs", f"log-group:{group}")
    policy = Resource(
        kind=logs.RETENTION_KIND, name=group, arn=arn, created=now, modified=now, document=document
    )
    with suppress(TakenError):
        context.store.insert(policy)
        return
    context.store.change(logs.RETENTION_KIND, group, lambda known: replace(known, document=document))


def _refuse_live(context: Context, group: str, names: list[str]) -> None:
    """Raise OperationAbortedException if a container that is not done may write to one of the streams."""
    for name in names:
        if _is_live(context, group, name.partition("/")[0]):
            raise OperationAbortedException(
                f"{name} in {group} is being written to: its job, endpoint or notebook is not done. Stop or "
                "delete that first."
            )


def _is_live(context: Context, group: str, owner: str) -> bool:
    if group.startswith(ENDPOINT_GROUPS):
        return context.store.get(ENDPOINT_KIND, group.removeprefix(ENDPOINT_GROUPS)) is not None
    kinds = {kind.log_group: kind.kind for kind in pool.KINDS.values()} | {home.LOG_GROUP: NOTEBOOK_KIND}
    resource = context.store.get(kinds[group], owner) if group in kinds else None
    return resource is not None and resource.status not in pool.TERMINAL
