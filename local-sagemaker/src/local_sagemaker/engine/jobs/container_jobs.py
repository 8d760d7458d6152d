"""Training and processing jobs: the container contract, from inputs to outputs, and the metrics of logs."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from local_sagemaker.domain.cloudwatch import POINTS_KEPT_S, VALUES_PER_DATUM
from local_sagemaker.domain.lifecycle import JobOutcome, Phase, State, Stop
from local_sagemaker.engine.jobs import hosts, outputs
from local_sagemaker.engine.jobs.channels import Source
from local_sagemaker.engine.jobs.hosts import Cluster, ContainerJobs
from local_sagemaker.engine.jobs.jobs import JobError, JobRecord
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.logs import LogEvent
from local_sagemaker.storage.documents import Document, moment

#: log group, and namespace of CloudWatch
NAMESPACE = "/aws/sagemaker/TrainingJobs"
BASE = PurePosixPath("/opt/ml")
#: members of the description that are no part of the request
ADDED = {"ProcessingJobArn", "ProcessingJobStatus", "CreationTime", "LastModifiedTime"}
#: by phase: SecondaryStatus, and what it tells
SECONDARY = {
    Phase.QUEUED: ("Starting", "Preparing the instances for training"),
    Phase.DOWNLOADING: ("Downloading", "Downloading input data"),
    Phase.RUNNING: ("Training", "Training image download completed. Training in progress."),
    Phase.UPLOADING: ("Uploading", "Uploading generated training model"),
}
ENDINGS = {
    JobOutcome.COMPLETED: "Training job completed",
    JobOutcome.FAILED: "Training job failed",
    JobOutcome.STOPPED: "Training job stopped",
}


class TrainingJobs(ContainerJobs):
    """What is particular to training jobs."""

    kind = "training-job"
    log_group = NAMESPACE
    noun = "TrainingJob"
    role = "train"
    container, image = "AlgorithmSpecification", "TrainingImage"
    message = "output/failure"

    def cluster(self, job: JobRecord) -> Cluster:
        """Return the instances of a training job, and what is fed to them through pipes."""
        resources, algorithm = job.document["ResourceConfig"], job.document[self.container]
        groups = [
            (group["InstanceGroupName"], group["InstanceType"], group["InstanceCount"])
            for group in resources.get("InstanceGroups", [])
        ]
        only = (hosts.GROUP, resources.get("InstanceType", "ml.local"), resources.get("InstanceCount", 1))
        pipes = {
            channel["ChannelName"]: _source(channel)
            for channel in job.document.get("InputDataConfig", [])
            if channel.get("InputMode", algorithm["TrainingInputMode"]) == "Pipe"
        }
        return Cluster.plan(job, algorithm[self.image], groups or [only], pipes)

    def prepare(self, job: JobRecord) -> None:
        """Write the configuration and bring the channels, for every instance."""
        request, objects = job.document, job.service.objects
        job.image(request[self.container][self.image])
        job.clear()
        cluster = self.cluster(job)
        folders = ("input/config", "input/data", "model", "output/data", "checkpoints")
        mode, channels = request[self.container]["TrainingInputMode"], request.get("InputDataConfig", [])
        for host in cluster.hosts:
            files = {
                "hyperparameters.json": request.get("HyperParameters", {}),
                "inputdataconfig.json": {one["ChannelName"]: _channel(one, mode) for one in channels},
                "resourceconfig.json": cluster.resourceconfig(host),
            }
            host.make_folders(folders, "input/config", files)
            for channel in channels:
                name, s3 = channel["ChannelName"], channel["DataSource"]["S3DataSource"]
                if name not in cluster.pipes:
                    folder = PurePosixPath("input/data", name)
                    host.bring(_source(channel), s3, objects, folder, may_link=True)
            outputs.restore_checkpoints(job, host)
        cluster.bring_pipes()

    def put_live(self, job: JobRecord) -> None:
        """Put the checkpoints."""
        outputs.put_checkpoints(job)

    def upload(self, job: JobRecord, state: State) -> Document:
        """Upload the model unless the job failed, and the output; return them with the log's metrics."""
        config, objects = job.document["OutputDataConfig"], job.service.objects
        base = f"{config['S3OutputPath'].rstrip('/')}/{job.name}/output"
        is_plain = config.get("CompressionType") == "NONE"
        put = outputs.put_folder if is_plain else outputs.put_archive
        members: Document = {}
        self.cluster(job).merge(("model", "output/data"))
        outputs.put_checkpoints(job)
        outputs.forget_checkpoints(job.workspace)
        if state.outcome is not JobOutcome.FAILED:
            uri = f"{base}/model/" if is_plain else f"{base}/model.tar.gz"
            put(job.ml / "model", uri, objects, "the model")
            members["ModelArtifacts"] = {"S3ModelArtifacts": uri}
        folder = job.ml / "output/data"
        outputs.refuse_link(folder, "the output")
        if any(outputs.regular_files(folder)):
            put(folder, f"{base}/data" if is_plain else f"{base}/output.tar.gz", objects, "the output")
        definitions = job.document[self.container].get("MetricDefinitions", [])
        if definitions and job.log.exists():
            last: dict[str, dict[str, Any]] = {}
            for event, name, value in metric_values(definitions, logs.read(job.log)):
                last[name] = {"MetricName": name, "Value": value, "Timestamp": moment(event.timestamp / 1000)}
            members["FinalMetricDataList"] = [
                last[item["Name"]] for item in definitions if item["Name"] in last
            ]
            _publish_metrics(job, definitions)
        return members

    def describe(self, document: Document, state: State, at: float) -> Document:
        """Return the description with the secondary status and its transitions, and the time of training."""
        secondary, message = _secondary(state)
        described = super().describe(document, state, at)
        described["SecondaryStatus"] = secondary
        described["SecondaryStatusTransitions"] = _transitions(
            document, secondary, message, state, moment(at)
        )
        if state.phase is Phase.ENDED:
            # a job that never began to train has trained for no time
            seconds = max(0, round(at - (state.started or at)))
            described |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        return described


class ProcessingJobs(ContainerJobs):
    """What is particular to processing jobs."""

    kind = "processing-job"
    log_group = "/aws/sagemaker/ProcessingJobs"
    noun = "ProcessingJob"
    role = "process"
    container, image = "AppSpecification", "ImageUri"
    message = "output/message"

    def cluster(self, job: JobRecord) -> Cluster:
        """Return the instances of a processing job."""
        config = job.document["ProcessingResources"]["ClusterConfig"]
        groups = [(hosts.GROUP, config["InstanceType"], config["InstanceCount"])]
        return Cluster.plan(job, job.document[self.container][self.image], groups)

    def prepare(self, job: JobRecord) -> None:
        """Write the configuration, bring the inputs, make the outputs' folders."""
        request = job.document
        job.image(request[self.container][self.image])
        job.clear()
        cluster = self.cluster(job)
        echoed = {name: value for name, value in request.items() if name not in ADDED}
        paths = [inside(output["LocalPath"]) for _, output in _outputs(request)]
        for host in cluster.hosts:
            files = {"processingjobconfig.json": echoed, "resourceconfig.json": cluster.resourceconfig(host)}
            host.make_folders(["config", "output", "processing", *map(str, paths)], "config", files)
            for item in request.get("ProcessingInputs", []):
                s3 = item["S3Input"]
                path = inside(s3["LocalPath"])
                # what an output holds is uploaded from the upper layer alone: inputs in one are copied there
                is_output = any(path.is_relative_to(one) or one.is_relative_to(path) for one in paths)
                source = Source(f"input {item['InputName']}", s3["S3Uri"], s3["S3DataType"])
                host.bring(source, s3, job.service.objects, path, may_link=not is_output)

    def upload(self, job: JobRecord, state: State) -> Document:
        """Upload the outputs if the job completed; return them and the exit message."""
        if state.outcome is JobOutcome.COMPLETED:
            self._put(job, {"Continuous", "EndOfJob"})
        message = self.read_message(job)
        return {"ExitMessage": message} if message else {}

    def put_live(self, job: JobRecord) -> None:
        """Put what the outputs with S3UploadMode Continuous hold by now."""
        self._put(job, {"Continuous"})

    def _put(self, job: JobRecord, modes: set[str]) -> None:
        for name, output in _outputs(job.document):
            # one instance after the other: of two files of one name the last instance's stays
            for host in self.cluster(job).hosts if output["S3UploadMode"] in modes else ():
                folder = host.ml / inside(output["LocalPath"])
                outputs.put_folder(folder, output["S3Uri"], job.service.objects, f"output {name}")


def _publish_metrics(job: JobRecord, definitions: list[dict[str, str]]) -> None:
    """Put the metrics of the log into CloudWatch, once: after a crash the upload begins again."""
    # by metric and second: a row of the store each
    seconds: dict[tuple[str, int], list[float]] = {}
    for event, name, value in metric_values(definitions, logs.read(job.log)):
        if math.isfinite(value):
            seconds.setdefault((name, event.timestamp // 1000), []).append(value)
    dimensions, store, rows = json.dumps({"TrainingJobName": job.name}), job.service.store, []
    for (name, at), given in seconds.items():
        content: object = [[value, 1] for value in given]
        if len(given) > VALUES_PER_DATUM:
            # of more than CloudWatch takes at a time, their statistics are kept
            content = {"count": len(given), "total": sum(given)}
        row = {"namespace": NAMESPACE, "metric": name, "dimensions": dimensions, "at": at, "unit": "None"}
        rows.append({**row, "low": min(given), "high": max(given), "content": json.dumps(content)})
    first = {"namespace": NAMESPACE, "dimensions": dimensions, "metric": rows[0]["metric"]} if rows else {}
    if rows and not store.points(**first, begin=0.0, end=math.inf):
        store.put_points(rows, time.time() - POINTS_KEPT_S)


def _source(channel: Document) -> Source:
    s3 = channel["DataSource"]["S3DataSource"]
    return Source(f"channel {channel['ChannelName']}", s3["S3Uri"], s3["S3DataType"])


def _channel(channel: Document, mode: str) -> Document:
    source = channel["DataSource"]["S3DataSource"]
    described = {
        "TrainingInputMode": channel.get("InputMode", mode),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return {"ContentType": channel["ContentType"], **described} if "ContentType" in channel else described


def _secondary(state: State) -> tuple[str, str]:
    if state.phase is Phase.ENDED and state.outcome is not None:
        if state.outcome is JobOutcome.STOPPED and state.stop is Stop.RUNTIME:
            return "MaxRuntimeExceeded", "Training job runtime exceeded MaxRuntimeInSeconds provided"
        return state.outcome.value, ENDINGS[state.outcome]
    if state.stop is not None and state.phase is not Phase.UPLOADING:
        return "Stopping", "Stopping the training job"
    if state.retries and state.phase is Phase.DOWNLOADING:
        return "Restarting", "Restarting the training job: its container was lost"
    return SECONDARY[state.phase]


def _transitions(
    document: Document, secondary: str, message: str, state: State, now: datetime
) -> list[Document]:
    past: list[Document] = document.get("SecondaryStatusTransitions", [])
    if past and past[-1]["Status"] == secondary:
        return past
    new: Document = {"Status": secondary, "StartTime": now, "StatusMessage": message}
    if state.phase is Phase.ENDED:
        new["EndTime"] = now
    return [*past[:-1], *({**last, "EndTime": now} for last in past[-1:]), new]


def metric_values(
    definitions: Sequence[Mapping[str, str]], events: Iterable[LogEvent]
) -> Iterator[tuple[LogEvent, str, float]]:
    """Yield every value that an expression finds, in the log's order, with its line and the metric's name.

    The value is the expression's first group, or all that it matched if it has none. What is no number is
    passed over.
    """
    patterns = [(item["Name"], re.compile(item["Regex"])) for item in definitions]
    for event in events:
        for name, pattern in patterns:
            for match in pattern.finditer(event.message):
                with suppress(ValueError):
                    yield event, name, float(match.group(1 if pattern.groups else 0) or "")


def broken_metric(definitions: Sequence[Mapping[str, str]]) -> str | None:
    """Return what is wrong with the first invalid expression, or None."""
    for item in definitions:
        try:
            re.compile(item["Regex"])
        except re.error as error:
            return f"The metric {item['Name']} has Regex {item['Regex']!r}, which is not valid: {error}."
    return None


def inside(local_path: str) -> PurePosixPath:
    """Return a path of the container relative to /opt/ml; raise JobError if it is elsewhere."""
    path = PurePosixPath(local_path)
    if not path.is_relative_to(BASE) or ".." in path.parts or path == BASE:
        raise JobError(f"ClientError: LocalPath {local_path!r} must lie below /opt/ml/processing.")
    return path.relative_to(BASE)


def _outputs(request: Document) -> list[tuple[str, Document]]:
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return [(output["OutputName"], output["S3Output"]) for output in outputs]
