"""The cache of a pipeline's steps: what succeeded once with the same attributes is not done again.

A step is known by its name in its pipeline and by the attributes that SageMaker compares ("Default cache
key attributes by pipeline step type" in its guide). Of each such step the last success is kept.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.storage.store import MissingError, Resource

KIND = "pipeline-cache"
Document = dict[str, Any]


def keep(context: Service, execution: Resource, step: str, record: Document) -> None:
    """Keep what a step came to, in the place of what it came to before."""
    kept = {"execution": execution.arn, "metadata": record["metadata"], "end": record["end"]}
    name, now = _name(execution.parent, step, record["key"]), record["end"]
    try:
        context.store.change(KIND, name, lambda found: replace(found, state=kept, modified=now))
    except MissingError:
        arn = f"{context.arn('sagemaker', 'pipeline')}/{execution.parent}/cache/{name.rpartition('/')[2]}"
        context.store.insert(
            Resource(
                kind=KIND,
                name=name,
                arn=arn,
                parent=execution.parent,
                created=now,
                modified=now,
                document={},
                state=kept,
            )
        )


def find(
    context: Service, execution: Resource, step: str, wanted: str, *, expire_s: float | None, now: float
) -> Document | None:
    """The kept success of a step that is not too old: its metadata, its end and its execution's ARN."""
    found = context.store.get(KIND, _name(execution.parent, step, wanted))
    if found is None or (expire_s is not None and now - found.state["end"] > expire_s):
        return None
    return found.state


def _name(pipeline: str, step: str, wanted: str) -> str:
    return f"{pipeline}/{hashlib.sha256(f'{step} {wanted}'.encode()).hexdigest()}"
