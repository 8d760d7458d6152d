"""CloudWatch Logs of jobs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from local_sagemaker.engine.processes import logs
from sagemaker_kit.jobs import Lab
from sagemaker_kit.refusals import refused

GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def stream(lab: Lab) -> str:
    """The stream of a job that has printed the numbers 0 to 9."""
    lab.train("count", "for i in 0 1 2 3 4 5 6 7 8 9; do echo line $i; done")
    lab.trained("count")
    [found] = lab.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="count/")["logStreams"]
    return str(found["logStreamName"])


def test_groups_and_streams_are_found(lab: Lab, stream: str) -> None:
    """One group per kind of job, one stream per job, named as AWS names them."""
    [group] = lab.logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/")["logGroups"]
    assert group["logGroupName"] == GROUP
    assert stream.startswith("count/algo-1-")
    [found] = lab.logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True)[
        "logStreams"
    ]
    assert found["firstEventTimestamp"] <= found["lastEventTimestamp"]


def test_reading_forward_ends_in_a_stable_token(lab: Lab, stream: str) -> None:
    """Pages of a log come in order; at the end the token repeats, which clients take for the end."""
    messages: list[str] = []
    tokens: list[str] = []
    token: dict[str, str] = {}
    while len(tokens) < 2 or tokens[-1] != tokens[-2]:
        page = lab.logs.get_log_events(
            logGroupName=GROUP, logStreamName=stream, startFromHead=True, limit=4, **token
        )
        messages += [event["message"] for event in page["events"]]
        tokens.append(page["nextForwardToken"])
        token = {"nextToken": tokens[-1]}
    assert messages == [f"line {number}" for number in range(10)]
    assert len(tokens) == 4


def test_reading_backward_begins_at_the_end(lab: Lab, stream: str) -> None:
    """Without startFromHead the newest events come first, page by page."""
    ask = {"logGroupName": GROUP, "logStreamName": stream, "limit": 4}
    page = lab.logs.get_log_events(**ask)
    assert [event["message"] for event in page["events"]] == [f"line {number}" for number in (6, 7, 8, 9)]
    page = lab.logs.get_log_events(**ask, nextToken=page["nextBackwardToken"])
    assert [event["message"] for event in page["events"]] == [f"line {number}" for number in (2, 3, 4, 5)]


def test_a_running_jobs_log_grows(lab: Lab, tmp_path: Path) -> None:
    """What a container has printed can be read while it runs, and reading goes on where it was."""
    go = tmp_path / "go"
    lab.train("grows", f"echo one; while [ ! -e {go} ]; do sleep 0.02; done; echo two")
    lab.training("grows")
    [found] = lab.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="grows/")["logStreams"]
    ask = {"logGroupName": GROUP, "logStreamName": found["logStreamName"], "startFromHead": True}
    page = lab.logs.get_log_events(**ask)
    assert [event["message"] for event in page["events"]] == ["one"]
    go.touch()
    lab.trained("grows")
    page = lab.logs.get_log_events(**ask, nextToken=page["nextForwardToken"])
    assert [event["message"] for event in page["events"]] == ["two"]


def test_events_carry_their_time(lab: Lab, stream: str) -> None:
    """In milliseconds since 1970, and usable as bounds."""
    ask = {"logGroupName": GROUP, "logStreamName": stream, "startFromHead": True}
    events = lab.logs.get_log_events(**ask)["events"]
    now = int(time.time() * 1000)
    assert all(now - 60_000 < event["timestamp"] <= now for event in events)
    assert lab.logs.get_log_events(**ask, endTime=events[0]["timestamp"])["events"] == []
    assert lab.logs.get_log_events(**ask, startTime=now + 60_000)["events"] == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", 10),
        ("line", 10),
        ('"line 3"', 1),
        ("line 3", 1),
        ("line -3", 9),
        ("?3 ?4", 2),
        ("absent", 0),
    ],
)
def test_a_pattern_filters_events(lab: Lab, stream: str, pattern: str, expected: int) -> None:
    """Terms, phrases, exclusions and alternatives."""
    pages = lab.logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, logStreamNames=[stream], filterPattern=pattern, PaginationConfig={"PageSize": 3}
    )
    events = [event for page in pages for event in page["events"]]
    assert len(events) == expected
    assert len({event["eventId"] for event in events}) == expected


def test_missing_logs_are_named(lab: Lab, stream: str) -> None:
    """Clients wait for a log by these errors."""
    with refused("ResourceNotFoundException", "log group"):
        lab.logs.describe_log_streams(logGroupName="/aws/sagemaker/Nothing")
    with refused("ResourceNotFoundException", "log stream"):
        lab.logs.get_log_events(logGroupName=GROUP, logStreamName=stream[:-1])
    with refused("InvalidParameterException", "{ $.a = 1 }"):
        lab.logs.filter_log_events(logGroupName=GROUP, filterPattern="{ $.a = 1 }")


def test_a_stream_and_a_group_are_deleted(lab: Lab, stream: str) -> None:
    """Once their job is done; the next job begins the group again."""
    lab.logs.delete_log_stream(logGroupName=GROUP, logStreamName=stream)
    assert lab.logs.describe_log_streams(logGroupName=GROUP)["logStreams"] == []
    with refused("ResourceNotFoundException", "log stream"):
        lab.logs.delete_log_stream(logGroupName=GROUP, logStreamName=stream)
    lab.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=7)
    lab.logs.delete_log_group(logGroupName=GROUP)
    with refused("ResourceNotFoundException", "log group"):
        lab.logs.delete_log_group(logGroupName=GROUP)
    lab.train("again", "echo again")
    lab.trained("again")
    [group] = lab.logs.describe_log_groups()["logGroups"]
    assert (group["logGroupName"], "retentionInDays" in group) == (GROUP, False)


def test_a_log_that_is_being_written_is_not_deleted(lab: Lab, stream: str, tmp_path: Path) -> None:
    """A job reads its metrics from its log; that of a job which is done goes beside it."""
    go = tmp_path / "go"
    lab.train("writes", f"echo one; while [ ! -e {go} ]; do sleep 0.02; done; echo two")
    lab.training("writes")
    [found] = lab.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="writes/")["logStreams"]
    with refused("OperationAbortedException", found["logStreamName"]):
        lab.logs.delete_log_stream(logGroupName=GROUP, logStreamName=found["logStreamName"])
    with refused("OperationAbortedException", found["logStreamName"]):
        lab.logs.delete_log_group(logGroupName=GROUP)
    lab.logs.delete_log_stream(logGroupName=GROUP, logStreamName=stream)
    go.touch()
    lab.trained("writes")
    assert lab.lines("TrainingJobs", "writes") == ["one", "two"]


def test_events_are_shown_within_their_retention(lab: Lab, stream: str) -> None:
    """The policy is described, may be replaced, and hides what is older."""
    path = logs.path(lab.service.root, GROUP, stream)
    two_days_ago = int((time.time() - 2 * 24 * 3600) * 1000)
    path.write_bytes(b"%d old\n" % two_days_ago + path.read_bytes())
    ask = {"logGroupName": GROUP, "logStreamName": stream, "startFromHead": True}
    for days, count in ((3, 11), (1, 10)):
        lab.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=days)
        [group] = lab.logs.describe_log_groups()["logGroups"]
        assert group["retentionInDays"] == days
        assert len(lab.logs.get_log_events(**ask)["events"]) == count
        assert len(lab.logs.filter_log_events(logGroupName=GROUP)["events"]) == count
    with refused("InvalidParameterException", 2):
        lab.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=2)
    with refused("ResourceNotFoundException", "log group"):
        lab.logs.put_retention_policy(logGroupName="/none", retentionInDays=1)
