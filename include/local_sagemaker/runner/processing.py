"""Processing jobs: the container contract, from inputs to uploaded outputs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from include.local_sagemaker.lifecycle import Outcome, Phase, State
from include.local_sagemaker.runner import channels, failures, upload
from include.local_sagemaker.runner.channels import Source
from include.local_sagemaker.runner.failures import JobError
from include.local_sagemaker.runner.isolation import Isolation
from include.local_sagemaker.runner.jobs import Document, Job, reason, status, variables
from include.local_sagemaker.runner.process import ProcessSpec
from include.local_sagemaker.runner.training import resourceconfig

BASE = PurePosixPath("/opt/ml")
#: members of the description that are no part of the request
ADDED = {"ProcessingJobArn", "ProcessingJobStatus", "CreationTime", "LastModifiedTime"}


class ProcessingJobs:
    """What is particular to processing jobs."""

    kind = "processing-job"
    log_group = "/aws/sagemaker/ProcessingJobs"
    noun = "ProcessingJob"

    def prepare(self, job: Job) -> None:
        """Write the configuration, bring the inputs, make the outputs' folders."""
        request = job.document
        job.image(request["AppSpecification"]["ImageUri"])
        isolation = job.clear()
        for name in ("config", "output", "processing"):
            (job.ml / name).mkdir(parents=True)
        instance_type = request["ProcessingResources"]["ClusterConfig"]["InstanceType"]
        echoed = {name: value for name, value in request.items() if name not in ADDED}
        files = {"processingjobconfig.json": echoed, "resourceconfig.json": resourceconfig(instance_type)}
        for name, content in files.items():
            (job.ml / "config" / name).write_text(json.dumps(content), encoding="utf-8")
        outputs = [inside(place["LocalPath"]) for _, place in _outputs(request)]
        for path in outputs:
            (job.ml / path).mkdir(parents=True, exist_ok=True)
        for item in request.get("ProcessingInputs", []):
            self._bring(job, item, isolation, outputs)

    def _bring(self, job: Job, item: Document, isolation: Isolation, outputs: list[PurePosixPath]) -> None:
        place = item["S3Input"]
        path = inside(place["LocalPath"])
        # what an output holds is uploaded from the upper layer alone, so inputs within one are copied there
        is_output = any(path.is_relative_to(output) or output.is_relative_to(path) for output in outputs)
        is_linked = isolation is Isolation.OVERLAY and not is_output
        folder = job.workspace / ("linked" if is_linked else "ml") / path
        folder.mkdir(parents=True, exist_ok=True)
        source = Source(f"input {item['InputName']}", place["S3Uri"], place["S3DataType"])
        channels.materialize(source, job.context.objects, folder, is_linked=is_linked)

    def spec(self, job: Job) -> ProcessSpec:
        """The request's entry point and arguments, or the image's."""
        application = job.document["AppSpecification"]
        image = job.image(application["ImageUri"])
        argv = image.command(
            "process", application.get("ContainerEntrypoint"), application.get("ContainerArguments")
        )
        given = {
            **variables(job.context),
            "PROCESSING_JOB_NAME": job.name,
            "PROCESSING_JOB_ARN": job.document["ProcessingJobArn"],
            **job.document.get("Environment", {}),
        }
        return ProcessSpec(
            argv, image.variables(given), job.workspace, job.log, stop_grace_s=image.stop_grace_s
        )

    def said(self, job: Job) -> str:
        """What is in /opt/ml/output/message."""
        return failures.said(job.ml / "output/message")

    def upload(self, job: Job, state: State) -> Document:
        """The outputs if the job completed, and its exit message in any case."""
        if state.outcome is Outcome.COMPLETED:
            for name, place in _outputs(job.document):
                folder: Path = job.ml / inside(place["LocalPath"])
                upload.folder(folder, place["S3Uri"], job.context.objects, f"output {name}")
        message = self.said(job)
        return {"ExitMessage": message} if message else {}

    def describe(self, document: Document, state: State, at: float) -> Document:
        """Status, times and reason."""
        now = datetime.fromtimestamp(at, UTC)
        described = {
            **document,
            "ProcessingJobStatus": status(state),
            "LastModifiedTime": now,
            "FailureReason": reason(state),
        }
        if state.started is not None:
            described["ProcessingStartTime"] = datetime.fromtimestamp(state.started, UTC)
        if state.phase is Phase.ENDED:
            described["ProcessingEndTime"] = now
        return described


def inside(local_path: str) -> PurePosixPath:
    """A path of the container relative to /opt/ml; JobError if it is elsewhere."""
    path = PurePosixPath(local_path)
    if not path.is_relative_to(BASE) or ".." in path.parts or path == BASE:
        raise JobError(f"ClientError: LocalPath {local_path!r} must lie below /opt/ml/processing.")
    return path.relative_to(BASE)


def _outputs(request: Document) -> list[tuple[str, Document]]:
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return [(output["OutputName"], output["S3Output"]) for output in outputs]
