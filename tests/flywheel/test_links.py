"""Addresses that a browser can open."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from flywheel.links import (
    LINKS,
    FlywheelLink,
    absolute_page_url,
    cycle_page,
    endpoint_url,
    file_url,
    folder_url,
    log_url,
    page_url,
    task_page,
    version_page,
)


class Local:
    """A connection to the local service."""

    region = "us-east-1"

    def endpoint_url(self, _service: str) -> str | None:
        """The same address for every service."""
        return "http://127.0.0.1:4566/"


class Aws(Local):
    """A connection to AWS itself."""

    def endpoint_url(self, _service: str) -> str | None:
        """AWS's own."""
        return None


def test_a_folder_is_a_list_of_objects() -> None:
    """The local service lists a prefix; AWS's console has the bucket in the path."""
    assert folder_url(Local(), "s3://b/a/") == "http://127.0.0.1:4566/b?list-type=2&prefix=a%2F"
    console = "https://us-east-1.console.aws.amazon.com/s3"
    assert folder_url(Aws(), "s3://b/a/").startswith(f"{console}/buckets/b?prefix=a%2F")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        (
            "s3://b/flights/evaluate/2013-01-01_2013-02-01/0a/report.html",
            "evaluate/2013-01-01_2013-02-01/0a/report.html",
        ),
        (
            "s3://b/flights/clean/2013-01-01T06%2B00_2013-02-01/0a/profile.html",
            "clean/2013-01-01T06%252B00_2013-02-01/0a/profile.html",
        ),
    ],
)
def test_what_people_read_is_shown_in_airflow(monkeypatch: pytest.MonkeyPatch, uri: str, path: str) -> None:
    """S3 has a browser save a page; the cycle's own page shows it, below the path that a proxy gives."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://host:8080/team")
    assert file_url("flights", uri) == f"/team/flywheel/cycles/flights/files/{path}"


def test_an_endpoint_has_a_page_on_aws_only() -> None:
    """With its log, which is that of all its instances."""
    assert endpoint_url(Local(), "flights") == ""
    assert endpoint_url(Aws(), "flights").endswith("region=us-east-1#/endpoints/flights")
    assert log_url(Aws(), "/aws/sagemaker/Endpoints/flights").endswith("Endpoints$252Fflights")


def test_a_log_has_a_page_on_aws_only() -> None:
    """CloudWatch's console quotes names twice, with $ for %."""
    assert log_url(Local(), "/aws/sagemaker/TrainingJobs", "j") == ""
    assert "log-group/$252Faws$252Fsagemaker$252FTrainingJobs" in log_url(
        Aws(), "/aws/sagemaker/TrainingJobs", "j"
    )


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_a_task_that_came_to_nothing_has_no_links(link: FlywheelLink) -> None:
    """Airflow asks at the end of every task, also of one that failed at once."""
    assert link.get_link(SimpleNamespace(links={}), ti_key=None) == ""
    assert link.get_link(SimpleNamespace(links={link.name: "x"}), ti_key=None) == "x"


def test_links_have_names_and_keys_of_their_own() -> None:
    """Two links must not overwrite each other's address."""
    assert len({link.name for link in LINKS}) == len({link.xcom_key for link in LINKS}) == len(LINKS)


def test_a_place_of_the_page_names_what_it_opens() -> None:
    """A window by its folder, a version by its number, a task by its run."""
    assert cycle_page("flights") == "cycles/flights"
    assert cycle_page("flights", window="2013-02-01_2013-03-01").endswith("#window=2013-02-01_2013-03-01")
    assert version_page("flights", "arn:aws:sagemaker:x:0:model-package/flights/3").endswith("#version=3")
    ti = SimpleNamespace(dag_id="d", run_id="manual__2013-01-01T00:00:00+00:00", task_id="clean")
    assert task_page(ti) == "dags/d/runs/manual__2013-01-01T00%3A00%3A00%2B00%3A00/tasks/clean"


@pytest.mark.parametrize(
    ("base_url", "path", "whole"),
    [
        (None, "/plugin/flywheel/flywheel/cycles/a", "/plugin/flywheel/flywheel/cycles/a"),
        (
            "https://airflow.example",
            "/plugin/flywheel/flywheel/cycles/a",
            "https://airflow.example/plugin/flywheel/flywheel/cycles/a",
        ),
        (
            "http://host:8080/team/",
            "/team/plugin/flywheel/team/flywheel/cycles/a",
            "http://host:8080/team/plugin/flywheel/team/flywheel/cycles/a",
        ),
    ],
)
def test_the_page_is_inside_airflow_wherever_that_is(
    monkeypatch: pytest.MonkeyPatch, base_url: str | None, path: str, whole: str
) -> None:
    """A path that a proxy gives Airflow comes before Airflow's page, and before Flywheel's in its frame."""
    monkeypatch.delenv("AIRFLOW__API__BASE_URL", raising=False)
    if base_url:
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert (page_url("cycles/a"), absolute_page_url("cycles/a")) == (path, whole)
