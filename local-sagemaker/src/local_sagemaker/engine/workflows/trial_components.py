"""Trial components of jobs: what an experiment shows of a job, completed when the job has ended."""

from __future__ import annotations

from dataclasses import replace

from local_sagemaker.base import Service
from local_sagemaker.engine.jobs.pool import TERMINAL
from local_sagemaker.engine.workflows.loop import search_by_status
from local_sagemaker.storage.documents import Document, moment
from local_sagemaker.storage.store import Resource

KIND = "experiment-trial-component"
#: status of a component whose job has not ended
ACTIVE = "InProgress"
TIMES = ("StartTime", "EndTime")
#: what a job's description puts before them
WORDS = ("Training", "Processing", "Transform")


class TrialComponents:
    """Trial components as the workflow loop looks at them."""

    kind = KIND

    def __init__(self, service: Service) -> None:
        self._service = service

    def list_active(self) -> list[Resource]:
        """Return the components whose jobs have not ended."""
        return search_by_status(self._service.store, KIND, ACTIVE)

    def advance(self, resource: Resource) -> bool:
        """Complete a component if its job has ended."""
        job = self._service.store.by_arn(resource.document["Source"]["SourceArn"])
        if job is not None and job.status not in TERMINAL:
            return False
        if job is None:
            self.fail(resource, "Its job was deleted.")
        else:
            self._end(resource, outcome_of(job))
        return True

    def fail(self, resource: Resource, reason: str) -> None:
        """End a component that cannot go on."""
        self._end(resource, {"Status": {"PrimaryStatus": "Failed", "Message": reason[:1024]}})

    def _end(self, resource: Resource, members: Document) -> None:
        def change(latest: Resource) -> Resource:
            artifacts = {**latest.document["OutputArtifacts"], **members.get("OutputArtifacts", {})}
            known = {one["MetricName"]: one for one in members.get("Metrics", [])}
            known |= {one["MetricName"]: one for one in latest.document.get("Metrics", [])}
            document = {**latest.document, **members, "OutputArtifacts": artifacts}
            document |= {"Metrics": list(known.values())} if known else {}
            return replace(latest, status="", document=document)

        self._service.store.change(KIND, resource.name, change)


def outcome_of(job: Resource) -> Document:
    """Return what a component shows of a job that has ended."""
    document = job.document
    status: Document = {"PrimaryStatus": job.status}
    if "FailureReason" in document:
        status["Message"] = document["FailureReason"][:1024]
    members: Document = {"Status": status, "LastModifiedTime": moment(job.modified)}
    for word in WORDS:
        for name in TIMES:
            if f"{word}{name}" in document:
                members[name] = document[f"{word}{name}"]
    outputs = {
        output["OutputName"]: output["S3Output"]["S3Uri"]
        for output in document.get("ProcessingOutputConfig", {}).get("Outputs", [])
    }
    outputs["SageMaker.ModelArtifact"] = document.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    outputs["SageMaker.TransformOutput"] = document.get("TransformOutput", {}).get("S3OutputPath")
    members["OutputArtifacts"] = {name: {"Value": uri} for name, uri in outputs.items() if uri}
    members["Metrics"] = [
        {
            "MetricName": metric["MetricName"],
            "SourceArn": job.arn,
            "TimeStamp": metric["Timestamp"],
            "Last": metric["Value"],
        }
        for metric in document.get("FinalMetricDataList", [])
    ]
    return members
