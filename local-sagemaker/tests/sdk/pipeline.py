"""The pipeline of both SDKs' programs: split, train, judge, and register what is good enough; or fail.

`kit` is the module of a version's own makers, with the classes of its workflow package.
"""
# mypy: ignore-errors

from __future__ import annotations

from types import ModuleType

import boto3
import lab
from lab import BUCKET, SCRIPTS

#: how both SDKs describe a version that is registered
PACKAGE = {
    "content_types": ["text/csv"],
    "response_types": ["text/csv"],
    "inference_instances": [lab.KIND],
    "transform_instances": [lab.KIND],
}


def run(kit: ModuleType) -> None:
    """Start it three times: it registers, it fails, it is stopped."""
    session = kit.PipelineSession(boto_session=boto3.Session(), default_bucket=BUCKET)
    lab.tell_pipeline(build(kit, session))


def build(kit: ModuleType, session: object) -> object:
    """The pipeline, with the error that is still good enough as its parameter."""
    limit = kit.ParameterFloat(name="Limit", default_value=0.5)
    split = split_step(kit, session)
    sources = {name: output_of(split, name) for name in lab.PARTS}
    train = kit.TrainingStep(name="Train", step_args=kit.train_arguments(session, sources))
    data = train.properties.ModelArtifacts.S3ModelArtifacts
    judge = judge_step(kit, session, data, sources["validation"])
    register = kit.ModelStep(name="Register", step_args=kit.package_arguments(session, data))
    found = kit.JsonGet(step_name=judge.name, property_file="Evaluation", json_path="metrics.mse")
    words = kit.Join(on=" ", values=["The error is above", limit])
    decide = kit.ConditionStep(
        name="Decide",
        conditions=[kit.ConditionLessThanOrEqualTo(left=found, right=limit)],
        if_steps=[register],
        else_steps=[kit.FailStep(name="Refuse", error_message=words)],
    )
    steps = [split, train, judge, decide]
    return kit.Pipeline(name="lines", parameters=[limit], steps=steps, sagemaker_session=session)


def split_step(kit: ModuleType, session: object) -> object:
    """Raw rows to those of training and validation."""
    arguments = kit.processor(session).run(
        code=str(SCRIPTS / "split.py"),
        inputs=[kit.read("raw", lab.RAW)],
        outputs=[kit.write(name, f"s3://{BUCKET}/pipeline/{name}") for name in lab.PARTS],
        arguments=["--every", "4"],
    )
    return kit.ProcessingStep(name="Split", step_args=arguments)


def output_of(step: object, name: str) -> object:
    """Where a processing step puts an output, known when it has run."""
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def judge_step(kit: ModuleType, session: object, data: object, validation: object) -> object:
    """The model's error, as a file that a condition reads."""
    file = kit.PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")
    arguments = kit.processor(session).run(
        code=str(SCRIPTS / "judge.py"),
        inputs=[kit.read("model", data), kit.read("validation", validation)],
        outputs=[kit.write("evaluation", f"s3://{BUCKET}/pipeline/evaluation")],
    )
    return kit.ProcessingStep(name="Judge", step_args=arguments, property_files=[file])
