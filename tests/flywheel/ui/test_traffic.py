"""What is told of captured traffic is what the endpoint captured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flywheel.ui import traffic
from tests.examples import month
from tests.flywheel.ui.conftest import Browser, Written

HOUR = "captured/flights/one/2026/01/05/06"


def capture(event: str, event_time: str | None = "2013-03-05T10:00:00+00:00", **more: Any) -> bytes:  # noqa: ANN401 - JSON
    """A line of a capture file."""
    attributes = [f"event_time={event_time}"] if event_time else None
    metadata = {
        "eventId": "given by the service",
        "inferenceId": event,
        "inferenceTime": "2026-01-05T06:07:08Z",
        "customAttributes": attributes,
        **more,
    }
    return json.dumps({"captureData": {}, "eventMetadata": metadata, "eventVersion": "0"}).encode() + b"\n"


def told(browser: Browser) -> Any:  # noqa: ANN401 - JSON
    """The answer's value."""
    found = browser().get("/flywheel/api/cycles/flights/traffic").json()
    assert found["error"] is None
    return found["value"]


def test_an_endpoint_that_captured_nothing(browser: Browser) -> None:
    """Nothing is made up."""
    assert told(browser) == {
        "files": 0,
        "is_all": True,
        "newest": None,
        "requests": 0,
        "malformed": 0,
        "truth": None,
        "windows": [],
    }


def test_requests_are_counted_in_the_windows_of_their_events(browser: Browser, written: Written) -> None:
    """By the client's word, else by the time of the request; those of a watched window are marked."""
    written.watched(month(2))
    written.put(f"{HOUR}/1.jsonl", capture("a", "2013-02-05T10:00:00") + capture("b") + b"{ cut off")
    written.put("captured/flights/two/2026/01/05/07/2.jsonl", capture("b") + capture("c"))
    written.put(f"{HOUR}/3.jsonl", capture("", None))
    found = told(browser)
    assert (found["files"], found["requests"], found["malformed"], found["is_all"]) == (3, 5, 1, True)
    names = [str(month(2)), str(month(3)), "2026-01-01_2026-02-01"]
    assert [each["name"] for each in found["windows"]] == names
    assert [(each["requests"], each["events"]) for each in found["windows"]] == [(1, 1), (3, 2), (1, 1)]
    assert [each["is_monitored"] for each in found["windows"]] == [True, False, False]


def test_events_with_ground_truth_are_counted(browser: Browser, written: Written) -> None:
    """Of the open windows' events those that a label was delivered of."""
    written.put(f"{HOUR}/1.jsonl", capture("a") + capture("b") + capture("b"))
    truth = [{"groundTruthData": {"data": "1"}, "eventMetadata": {"eventId": name}} for name in "bz"]
    written.put("truth/2013/03/06/00/1.jsonl", "\n".join(map(json.dumps, truth)).encode())
    found = told(browser)
    [window] = found["windows"]
    assert (window["requests"], window["events"], window["labelled"]) == (3, 2, 1)
    assert found["truth"] == {"files": 1, "is_all": True}


@pytest.mark.parametrize(("limit", "value"), [("FILES", 2), ("BYTES", 2 * len(capture("a")) + 1)])
def test_only_the_newest_files_are_read(
    browser: Browser, written: Written, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """And the answer says that there are more."""
    monkeypatch.setattr(traffic, limit, value)
    for hour in range(4):
        written.put(f"captured/flights/one/2026/01/05/{hour:02d}/1.jsonl", capture(f"{hour}"))
    found = told(browser)
    assert (found["files"], found["requests"], found["is_all"]) == (2, 2, False)
