"""Links from a task to what its job made, for a browser.

What people read (reports, model cards, profiles, records) is shown by Airflow: S3 has it saved, not shown.
Folders, endpoints and logs lead to AWS's console. The local service has none: there a folder is the list of
its objects, and the others have no link.
"""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink, conf

from include.core.layout import MODEL_CARD_PAGE, REPORT, split_uri, version_number
from include.core.places import below_cycle


class Connection(Protocol):
    """Where services are: what links need of a hook."""

    @property
    def region(self) -> str:
        """The region of the console."""
        ...

    def endpoint_url(self, service: str) -> str | None:
        """Return the connection's URL of a service; None on AWS itself."""
        ...


class FlywheelLink(BaseOperatorLink):
    """A link that its operator finds out when its job starts.

    Airflow asks for it when the task ends. While the task runs, the page reads the XCom that the operator
    pushed right after the submission.

    :param name: what the page calls it
    :param key: what follows `_link_` in the name of its XCom
    """

    def __init__(self, name: str, key: str) -> None:
        self._name, self._key = name, f"_link_{key}"

    @property
    def name(self) -> str:
        """What the page calls it."""
        return self._name

    @property
    def xcom_key(self) -> str:
        """The name of its XCom."""
        return self._key

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ANN401, ARG002 - Airflow's signature
        """Return the address, or nothing if the task did not come so far."""
        return str(operator.links.get(self.name, ""))


#: the place of Flywheel's page that tells of what the task did
PAGE = FlywheelLink("Flywheel", "PageLink")
#: everything the step wrote
OUTPUTS = FlywheelLink("Outputs", "OutputsLink")
#: the job's log in CloudWatch; the task's own log shows the same lines
JOB_LOG = FlywheelLink("Job log", "JobLogLink")
#: the evaluation's report, or the window's
REPORT_PAGE = FlywheelLink("Report", "ReportLink")
#: the version's model card
CARD = FlywheelLink("Model card", "ModelCardLink")
#: the record of a decision about retraining
DECISION = FlywheelLink("Decision", "DecisionLink")
#: the profile of the tables that the step wrote: distributions, missing values, examples
TABLE_PROFILE = FlywheelLink("Profile", "ProfileLink")
#: the JupyterLab that was opened; the address can be used once and within five minutes
NOTEBOOK = FlywheelLink("Notebook", "NotebookLink")
LINKS = (PAGE, OUTPUTS, JOB_LOG, REPORT_PAGE, CARD, DECISION, TABLE_PROFILE, NOTEBOOK)


def _console(connection: Connection) -> str:
    return f"https://{connection.region}.console.aws.amazon.com"


def folder_url(connection: Connection, uri: str) -> str:
    """Where a browser sees the list of the objects below a URI."""
    bucket, key = split_uri(uri)
    prefix = quote(key, safe="")
    if endpoint := connection.endpoint_url("s3"):
        return f"{endpoint.rstrip('/')}/{bucket}?list-type=2&prefix={prefix}"
    return f"{_console(connection)}/s3/buckets/{bucket}?prefix={prefix}&showversions=false"


def endpoint_url(connection: Connection, name: str) -> str:
    """Where a browser sees an endpoint on AWS; nothing on the local service, which has no pages."""
    if connection.endpoint_url("sagemaker"):
        return ""
    console = f"{_console(connection)}/sagemaker/home?region={connection.region}"
    return f"{console}#/endpoints/{quote(name, safe='')}"


def log_url(connection: Connection, group: str, job: str = "") -> str:
    """Where a browser sees a group's log on AWS, or a job's of it; nothing on the local service."""
    if connection.endpoint_url("logs"):
        return ""
    # CloudWatch's console wants what follows the # quoted twice, with $ for %.
    quoted = quote(quote(group, safe=""), safe="").replace("%", "$")
    start = quote(quote(f"?logStreamNameFilter={job}/", safe=""), safe="").replace("%", "$") if job else ""
    console = f"{_console(connection)}/cloudwatch/home?region={connection.region}"
    return f"{console}#logsV2:log-groups/log-group/{quoted}{start}"


def cycle_page(cycle: str, **at: object) -> str:
    """Return the page of a cycle; `window=...`, `version=...` or `entry=...` opens that of it."""
    fragment = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in at.items())
    return f"cycles/{quote(cycle, safe='')}" + (f"#{fragment}" if fragment else "")


def version_page(cycle: str, arn: str) -> str:
    """Return the page of a cycle, at a version of its model."""
    return cycle_page(cycle, version=version_number(arn))


def task_page(ti: Any) -> str:  # noqa: ANN401 - what Airflow gives tasks, in several versions
    """Return the page of what a task's step wrote: its profile or its report."""
    names = (ti.dag_id, "runs", ti.run_id, "tasks", ti.task_id)
    return "/".join(["dags", *(quote(name, safe="") for name in names)])


def file_url(cycle: str, uri: str) -> str:
    """Where a browser sees one of the files of a cycle that people read."""
    return f"{_root()}/flywheel/{cycle_page(cycle)}/files/{quote(below_cycle(uri))}"


def evaluation_links(cycle: str, uri: str) -> dict[str, str]:
    """Return the links to the report and the model card of an evaluation."""
    pages = {REPORT_PAGE.name: REPORT, CARD.name: MODEL_CARD_PAGE}
    return {name: file_url(cycle, f"{uri}{file}") for name, file in pages.items()}


def page_url(path: str) -> str:
    """Where a browser sees a page of Flywheel's inside Airflow's, on whichever host it sees Airflow.

    Airflow's own page for plugins shows in its frame the path that follows its own.
    """
    return f"{_root()}/plugin/flywheel{_root()}/flywheel/{path}"


def _root() -> str:
    """Return the path that a proxy gives Airflow, as `[api] base_url` says it."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


def absolute_page_url(path: str) -> str:
    """Return `page_url` with the host of `[api] base_url`, for where only absolute URLs become links."""
    base = urlsplit(conf.get("api", "base_url", fallback="") or "")
    return f"{base.scheme}://{base.netloc}{page_url(path)}" if base.netloc else page_url(path)
