"""Selective executions of a pipeline: some steps of it, on what an earlier execution has made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_sagemaker.context import Context
from local_sagemaker.domain.pipelines.definitions import PipelineDefinition
from local_sagemaker.engine.workflows.pipelines import KIND
from local_sagemaker.errors import ValidationException
from local_sagemaker.storage.store import Resource

Document = dict[str, Any]


def taken(
    context: Context, pipeline: Resource, definition: PipelineDefinition, config: Mapping[str, Any]
) -> tuple[dict[str, str], Document]:
    """What a selective execution takes from its source: parameters, and members of its state."""
    selected = {one["StepName"] for one in config["SelectedSteps"]}
    needed = definition.dependencies(selected) - selected
    source = _source(context, pipeline, config)
    if source is None and needed:
        raise ValidationException(
            f"SourcePipelineExecutionArn is missing: the selected steps need {', '.join(sorted(needed))}."
        )
    records = {} if source is None else source.state["steps"]
    lacking = sorted(name for name in needed if records.get(name, {}).get("status") != "Succeeded")
    if source is not None and lacking:
        raise ValidationException(
            f"The selected steps need {', '.join(lacking)}, which has not succeeded in {source.arn}. Select "
            "it, too, or name another execution."
        )
    steps = {} if source is None else {name: {**records[name], "selected": source.arn} for name in needed}
    left_out = [step.name for step in definition.steps if step.name not in needed | selected]
    return ({} if source is None else source.state["given"]), {"steps": steps, "left_out": left_out}


def _source(context: Context, pipeline: Resource, config: Mapping[str, Any]) -> Resource | None:
    arn = config.get("SourcePipelineExecutionArn")
    if arn is None:
        return None
    found: Resource | None = context.store.by_arn(arn)
    if found is None or (found.kind, found.parent) != (KIND, pipeline.name):
        raise ValidationException(f"{arn} is no execution of the pipeline {pipeline.name}.")
    return found
