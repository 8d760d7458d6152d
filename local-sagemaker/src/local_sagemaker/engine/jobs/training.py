"""Training jobs: the container contract, from channels to model.tar.gz."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from local_sagemaker.domain.cloudwatch import POINTS_KEPT_S
from local_sagemaker.domain.lifecycle import JobOutcome, Phase, State, Stop
from local_sagemaker.engine.jobs import channels, checkpoints, failures, hosts, metrics, upload
from local_sagemaker.engine.jobs.channels import Source
from local_sagemaker.engine.jobs.hosts import Cluster, Host
from local_sagemaker.engine.jobs.jobs import Document, JobRecord, reason, status
from local_sagemaker.engine.processes import logs
from local_sagemaker.engine.processes.isolation import Isolation
from local_sagemaker.engine.processes.process import ProcessSpec

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


class TrainingJobs:
    """What is particular to training jobs."""

    kind = "training-job"
    log_group = "/aws/sagemaker/TrainingJobs"
    noun = "TrainingJob"

    def prepare(self, job: JobRecord) -> None:
        """Write the configuration and bring the channels, for every instance."""
        request = job.document
        job.image(request["AlgorithmSpecification"]["TrainingImage"])
        job.clear()
        found = cluster_of(job)
        for host in found.hosts:
            for name in ("input/config", "input/data", "model", "output/data", "checkpoints"):
                (host.ml / name).mkdir(parents=True)
            files = {**configuration(request), "resourceconfig.json": found.resourceconfig(host)}
            for name, content in files.items():
                (host.ml / "input/config" / name).write_text(json.dumps(content), encoding="utf-8")
            for channel in request.get("InputDataConfig", []):
                if channel["ChannelName"] not in found.pipes:
                    _bring(job, host, channel)
            checkpoints.restore(job, host)
        hosts.bring_pipes(job, found)

    def spec(self, job: JobRecord) -> ProcessSpec:
        """`<image> train`, or the request's own entry point."""
        algorithm = job.document["AlgorithmSpecification"]
        image = job.image(algorithm["TrainingImage"])
        argv = image.command(
            "train", algorithm.get("ContainerEntrypoint"), algorithm.get("ContainerArguments")
        )
        given = {
            **job.context.container_variables(),
            "TRAINING_JOB_NAME": job.name,
            "TRAINING_JOB_ARN": job.document["TrainingJobArn"],
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
        """Return the content of /opt/ml/output/failure, of the first instance that has it."""
        messages = (failures.read_message(host.ml / "output/failure") for host in cluster_of(job).hosts)
        return next((text for text in messages if text), "")

    def upload(self, job: JobRecord, state: State) -> Document:
        """Upload the model unless the job failed, and the output; return them with the log's metrics."""
        output, objects = job.document["OutputDataConfig"], job.context.objects
        base = f"{output['S3OutputPath'].rstrip('/')}/{job.name}/output"
        is_plain = output.get("CompressionType") == "NONE"
        members: Document = {}
        hosts.merge(cluster_of(job), job, ("model", "output/data"))
        checkpoints.sync(job)
        checkpoints.forget(job.workspace)
        if state.outcome is not JobOutcome.FAILED:
            uri = f"{base}/model/" if is_plain else f"{base}/model.tar.gz"
            put = upload.folder if is_plain else upload.archive
            put(job.ml / "model", uri, objects, "the model")
            members["ModelArtifacts"] = {"S3ModelArtifacts": uri}
        upload.check(job.ml / "output/data", "the output")
        if any(upload.files(job.ml / "output/data")):
            if is_plain:
                upload.folder(job.ml / "output/data", f"{base}/data", objects, "the output")
            else:
                upload.archive(job.ml / "output/data", f"{base}/output.tar.gz", objects, "the output")
        definitions = job.document["AlgorithmSpecification"].get("MetricDefinitions", [])
        if definitions and job.log.exists():
            members["FinalMetricDataList"] = metrics.final(definitions, logs.read(job.log))
            _publish(job, definitions)
        return members

    def describe(self, document: Document, state: State, at: float) -> Document:
        """Status, secondary status with its transitions, times and reason."""
        now = datetime.fromtimestamp(at, UTC)
        secondary, message = _secondary(state)
        described = {
            **document,
            "TrainingJobStatus": status(state),
            "SecondaryStatus": secondary,
            "LastModifiedTime": now,
            "SecondaryStatusTransitions": _transitions(document, secondary, message, state, now),
            "FailureReason": reason(state),
        }
        if state.started is not None:
            described["TrainingStartTime"] = datetime.fromtimestamp(state.started, UTC)
        if state.phase is Phase.ENDED:
            described["TrainingEndTime"] = now
            # a job that never began to train has trained for no time
            seconds = max(0, round(at - (state.started or at)))
            described |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        return described


def configuration(request: Document) -> dict[str, Any]:
    """Return the files of /opt/ml/input/config by name."""
    mode = request["AlgorithmSpecification"]["TrainingInputMode"]
    return {
        "hyperparameters.json": request.get("HyperParameters", {}),
        "inputdataconfig.json": {
            channel["ChannelName"]: _channel(channel, mode) for channel in request.get("InputDataConfig", [])
        },
    }


def cluster_of(job: JobRecord) -> Cluster:
    """Return the instances of a training job, and what is fed to them through pipes."""
    resources = job.document["ResourceConfig"]
    groups = [
        (group["InstanceGroupName"], group["InstanceType"], group["InstanceCount"])
        for group in resources.get("InstanceGroups", [])
    ]
    only = (hosts.GROUP, resources.get("InstanceType", "ml.local"), resources.get("InstanceCount", 1))
    algorithm = job.document["AlgorithmSpecification"]
    mode = algorithm["TrainingInputMode"]
    pipes = {
        channel["ChannelName"]: _source(channel)
        for channel in job.document.get("InputDataConfig", [])
        if channel.get("InputMode", mode) == "Pipe"
    }
    return hosts.cluster(job, algorithm["TrainingImage"], groups or [only], pipes)


def _publish(job: JobRecord, definitions: list[dict[str, str]]) -> None:
    """Put the metrics of the log into CloudWatch, once: after a crash the upload begins again."""
    rows, store = list(metrics.points(definitions, logs.read(job.log), job.name)), job.context.store
    first = {name: rows[0][name] for name in ("namespace", "metric", "dimensions")} if rows else {}
    if rows and not store.points(**first, begin=0.0, end=math.inf):
        store.put_points(rows, time.time() - POINTS_KEPT_S)


def _bring(job: JobRecord, host: Host, channel: Document) -> None:
    """Put a channel's objects where an instance sees them."""
    is_linked = host.isolation is Isolation.OVERLAY
    folder = host.workspace / ("linked" if is_linked else "ml") / "input/data" / channel["ChannelName"]
    folder.mkdir(parents=True)
    distribution = channel["DataSource"]["S3DataSource"].get("S3DataDistributionType")
    source = replace(_source(channel), shard=host.shard(distribution))
    channels.materialize(source, job.context.objects, folder, is_linked=is_linked)


def _source(channel: Document) -> Source:
    place = channel["DataSource"]["S3DataSource"]
    return Source(f"channel {channel['ChannelName']}", place["S3Uri"], place["S3DataType"])


def _channel(channel: Document, mode: str) -> Document:
    source = channel["DataSource"]["S3DataSource"]
    found = {
        "TrainingInputMode": channel.get("InputMode", mode),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return {"ContentType": channel["ContentType"], **found} if "ContentType" in channel else found


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
