"""Processing jobs: the container contract, from inputs to uploaded outputs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from local_sagemaker.domain.lifecycle import JobOutcome, Phase, State
from local_sagemaker.engine.jobs import channels, failures, hosts, upload
from local_sagemaker.engine.jobs.channels import Source
from local_sagemaker.engine.jobs.failures import JobError
from local_sagemaker.engine.jobs.hosts import Cluster, Host
from local_sagemaker.engine.jobs.jobs import Document, JobRecord, reason, status
from local_sagemaker.engine.processes.isolation import Isolation
from local_sagemaker.engine.processes.process import ProcessSpec

BASE = PurePosixPath("/opt/ml")
#: members of the description that are no part of the request
ADDED = {"ProcessingJobArn", "ProcessingJobStatus", "CreationTime", "LastModifiedTime"}


class ProcessingJobs:
    """What is particular to processing jobs."""

    kind = "processing-job"
    log_group = "/aws/sagemaker/ProcessingJobs"
    noun = "ProcessingJob"

    def prepare(self, job: JobRecord) -> None:
        """Write the configuration, bring the inputs, make the outputs' folders."""
        request = job.document
        job.image(request["AppSpecification"]["ImageUri"])
        job.clear()
        found = cluster_of(job)
        echoed = {name: value for name, value in request.items() if name not in ADDED}
        outputs = [inside(place["LocalPath"]) for _, place in _outputs(request)]
        for host in found.hosts:
            for name in ("config", "output", "processing"):
                (host.ml / name).mkdir(parents=True)
            files = {"processingjobconfig.json": echoed, "resourceconfig.json": found.resourceconfig(host)}
            for name, content in files.items():
                text = json.dumps(content, default=str)
                (host.ml / "config" / name).write_text(text, encoding="utf-8")
            for path in outputs:
                (host.ml / path).mkdir(parents=True, exist_ok=True)
            for item in request.get("ProcessingInputs", []):
                self._bring(job, host, item, outputs)

    def _bring(self, job: JobRecord, host: Host, item: Document, outputs: list[PurePosixPath]) -> None:
        place = item["S3Input"]
        path = inside(place["LocalPath"])
        # what an output holds is uploaded from the upper layer alone, so inputs within one are copied there
        is_output = any(path.is_relative_to(output) or output.is_relative_to(path) for output in outputs)
        is_linked = host.isolation is Isolation.OVERLAY and not is_output
        folder = host.workspace / ("linked" if is_linked else "ml") / path
        folder.mkdir(parents=True, exist_ok=True)
        shard = host.shard(place.get("S3DataDistributionType"))
        source = Source(f"input {item['InputName']}", place["S3Uri"], place["S3DataType"], shard)
        channels.materialize(source, job.context.objects, folder, is_linked=is_linked)

    def spec(self, job: JobRecord) -> ProcessSpec:
        """Return the request's entry point and arguments, or the image's."""
        application = job.document["AppSpecification"]
        image = job.image(application["ImageUri"])
        argv = image.command(
            "process", application.get("ContainerEntrypoint"), application.get("ContainerArguments")
        )
        given = {
            **job.context.container_variables(),
            "PROCESSING_JOB_NAME": job.name,
            "PROCESSING_JOB_ARN": job.document["ProcessingJobArn"],
            **job.document.get("Environment", {}),
        }
        container = ProcessSpec(
            argv,
            image.variables(given, job.workspace),
            job.workspace,
            job.log,
            stop_grace_s=image.stop_grace_s,
        )
        return hosts.spec(job, cluster_of(job), container)

    def read_message(self, job: JobRecord) -> str:
        """Return the content of /opt/ml/output/message, of the first instance that has it."""
        messages = (failures.read_message(host.ml / "output/message") for host in cluster_of(job).hosts)
        return next((text for text in messages if text), "")

    def upload(self, job: JobRecord, state: State) -> Document:
        """Upload the outputs if the job completed; return them and the exit message."""
        if state.outcome is JobOutcome.COMPLETED:
            for name, place in _outputs(job.document):
                _put(job, name, place)
        message = self.read_message(job)
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


def cluster_of(job: JobRecord) -> Cluster:
    """Return the instances of a processing job."""
    config = job.document["ProcessingResources"]["ClusterConfig"]
    uri = job.document["AppSpecification"]["ImageUri"]
    return hosts.cluster(job, uri, [(hosts.GROUP, config["InstanceType"], config["InstanceCount"])])


def put_continuous(job: JobRecord) -> None:
    """Put what the outputs with S3UploadMode Continuous hold by now."""
    for name, place in _outputs(job.document):
        if place["S3UploadMode"] == "Continuous":
            _put(job, name, place)


def _put(job: JobRecord, name: str, place: Document) -> None:
    # one instance after the other: of two files of one name the last instance's stays
    for host in cluster_of(job).hosts:
        folder: Path = host.ml / inside(place["LocalPath"])
        upload.folder(folder, place["S3Uri"], job.context.objects, f"output {name}")


def inside(local_path: str) -> PurePosixPath:
    """Return a path of the container relative to /opt/ml; raise JobError if it is elsewhere."""
    path = PurePosixPath(local_path)
    if not path.is_relative_to(BASE) or ".." in path.parts or path == BASE:
        raise JobError(f"ClientError: LocalPath {local_path!r} must lie below /opt/ml/processing.")
    return path.relative_to(BASE)


def _outputs(request: Document) -> list[tuple[str, Document]]:
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return [(output["OutputName"], output["S3Output"]) for output in outputs]
