"""Links from a task to what its job made, for a browser.

On AWS they lead to the console. The local service has none, so there they are the addresses of the objects.
"""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from flywheel.names import split_uri


class Place(Protocol):
    """Where S3 is: what links need of a hook."""

    @property
    def region(self) -> str:
        """The region of the console."""
        ...

    def endpoint_url(self, service: str) -> str | None:
        """The connection's URL of a service; None on AWS itself."""
        ...


class FlywheelLink(BaseOperatorLink):
    """A link that its operator finds out when its job starts.

    Airflow asks for it when the task ends. While the task runs, the page reads the XCom that the operator
    pushed right after the submission.
    """

    name = "Flywheel"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ANN401, ARG002 - Airflow's signature
        """The address, or nothing if the task did not come so far."""
        links: dict[str, str] = operator.links
        return links.get(self.name, "")


class OutputsLink(FlywheelLink):
    """To everything the step wrote."""

    name = "Outputs"


class JobLogLink(FlywheelLink):
    """To the job's log in CloudWatch; the task's own log shows the same lines."""

    name = "Job log"


class ReportLink(FlywheelLink):
    """To the evaluation's report."""

    name = "Report"


class ModelCardLink(FlywheelLink):
    """To the version's model card."""

    name = "Model card"


class DecisionLink(FlywheelLink):
    """To the record of a decision about retraining."""

    name = "Decision"


class ProfileLink(FlywheelLink):
    """To the profile of the tables that the step wrote: distributions, missing values, examples."""

    name = "Profile"


class NotebookLink(FlywheelLink):
    """To the JupyterLab that was opened; the address can be used once and within five minutes."""

    name = "Notebook"


LINKS: tuple[FlywheelLink, ...] = (
    OutputsLink(),
    JobLogLink(),
    ReportLink(),
    ModelCardLink(),
    DecisionLink(),
    ProfileLink(),
    NotebookLink(),
)


def object_url(place: Place, uri: str) -> str:
    """Where a browser sees one object."""
    bucket, key = split_uri(uri)
    if endpoint := place.endpoint_url("s3"):
        return f"{endpoint.rstrip('/')}/{bucket}/{quote(key)}"
    return f"https://{place.region}.console.aws.amazon.com/s3/object/{bucket}?prefix={quote(key, safe='')}"


def folder_url(place: Place, uri: str) -> str:
    """Where a browser sees the list of the objects below a URI."""
    bucket, key = split_uri(uri)
    prefix = quote(key, safe="")
    if endpoint := place.endpoint_url("s3"):
        return f"{endpoint.rstrip('/')}/{bucket}?list-type=2&prefix={prefix}"
    return f"https://{place.region}.console.aws.amazon.com/s3/buckets/{bucket}?prefix={prefix}&showversions=false"


def log_url(place: Place, group: str, job: str) -> str:
    """Where a browser sees a job's log on AWS; nothing on the local service, which has no pages."""
    if place.endpoint_url("logs"):
        return ""
    # CloudWatch's console wants what follows the # quoted twice, with $ for %.
    quoted = quote(quote(group, safe=""), safe="").replace("%", "$")
    start = quote(quote(f"?logStreamNameFilter={job}/", safe=""), safe="").replace("%", "$")
    console = f"https://{place.region}.console.aws.amazon.com/cloudwatch/home?region={place.region}"
    return f"{console}#logsV2:log-groups/log-group/{quoted}{start}"
