"""collect: batch answers, captured answers and ground truth become predictions and a history of labels."""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from include.core.monitoring import Monitoring
from tests.steps.container import Container, Containers, History

DAY_2 = {"start": "2020-01-02T00:00:00+00:00", "end": "2020-01-03T00:00:00+00:00"}
#: writes lines into a file below the job's input
Lines = Callable[[str, list[str]], None]


def event(hour: int) -> str:
    """The id of the second day's event of an hour."""
    return f"A-20200102T{hour:02d}00"


def capture(event_id: str | None, answer: str = "1,0.75\n", time: str = "", **metadata: str) -> str:
    """A line as an endpoint captures it."""
    output = {"observedContentType": "text/csv; charset=utf-8", "mode": "OUTPUT", "encoding": "CSV"}
    data = {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": "A,US,1",
            "encoding": "CSV",
        },
        "endpointOutput": {**output, "data": answer},
    }
    about: dict[str, Any] = {"eventId": "sagemaker-gave-it", "inferenceTime": "2020-01-02T05:00:01Z"}
    about |= {"inferenceId": event_id} if event_id else {}
    about |= {"customAttributes": [f"event_time={time}"]} if time else {}
    return json.dumps({"captureData": data, "eventMetadata": {**about, **metadata}, "eventVersion": "0"})


def truth(event_id: str, label: str, known: str = "", **metadata: str) -> str:
    """A line of ground truth."""
    about = {"eventId": event_id, **({"knownTime": known} if known else {}), **metadata}
    return json.dumps(
        {"groundTruthData": {"data": label, "encoding": "CSV"}, "eventMetadata": about, "eventVersion": "0"}
    )


@pytest.fixture
def job(with_history: History, container: Containers, tmp_path: Path) -> Container:
    """A container for collect, with the prepared second day and its batch answers."""
    prepared = with_history("prepare", 2)
    prepared.run("prepare", **DAY_2)
    scored = tmp_path / "scored"
    scored.mkdir()
    (scored / "part-00000.csv.out").write_text("".join(f"{event(hour)},1,0.5\n" for hour in range(24)))
    made = container("collect")
    made.link("prepared", prepared.output)
    made.link("scored", scored)
    return made


@pytest.fixture
def put(job: Container) -> Lines:
    """Writes lines into a file below the job's inputs."""

    def write(name: str, lines: list[str]) -> None:
        path = job.base / "processing/input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")

    return write


def captured(hour: int = 5, minute: int = 0, variant: str = "champion") -> str:
    """A name of a capture file of the second day."""
    return f"captured/ice/{variant}/2020/01/02/{hour:02d}/{minute:02d}-00-000-a.jsonl"


def collected(job: Container) -> dict[str, Any]:
    """Run the job; its coverage."""
    job.run("collect", **DAY_2, model="s3://b/model.tar.gz")
    return dict(json.loads((job.output / "coverage.json").read_text()))


def test_batch_answers_become_predictions(job: Container) -> None:
    """Each scored row is a prediction with the time of its event and the model that answered."""
    manifest = job.run("collect", **DAY_2, model="s3://b/model.tar.gz")
    predictions, labels = job.table("predictions.parquet"), job.table("labels.parquet")
    assert list(predictions) == ["event_id", "event_time", "source", "label", "score", "model"]
    assert predictions.iloc[3].tolist() == [
        event(3),
        pd.Timestamp("2020-01-02T03:00:00Z"),
        "batch",
        "1",
        0.5,
        "s3://b/model.tar.gz",
    ]
    assert labels["label"].tolist() == ["1"] * 12 + ["0"] * 12
    assert set(labels["version"]) == {0}
    assert (manifest["counts"]["rows_in"], manifest["counts"]["rows_out"]) == (24, 24)
    assert not (job.output / "merged").exists()


def test_coverage_tells_how_old_events_were_when_labels_came(job: Container) -> None:
    """Half an hour after its event every label is known; none is late, corrected or unknown."""
    found = collected(job)
    assert found["by_age"][0] == {"age_s": 3600, "share": 1.0}
    told = {name: found[name] for name in ("events", "labelled", "late", "corrected", "unknown_events")}
    assert told == {"events": 24, "labelled": 24, "late": 0, "corrected": 0, "unknown_events": 0}


def test_captured_answers_are_predictions_of_their_own(job: Container, put: Lines) -> None:
    """An event answered in batch and online has two rows; the variant is the online answer's model."""
    put(captured(), [capture(event(3), time="2020-01-02T03:00:00+00:00")])
    collected(job)
    rows = job.table("predictions.parquet")
    online = rows[rows["source"] == "online"]
    assert online[["event_id", "label", "score", "model"]].to_numpy().tolist() == [
        [event(3), "1", 0.75, "champion"]
    ]
    assert online["event_time"].tolist() == [pd.Timestamp("2020-01-02T03:00:00Z")]


def test_of_several_answers_the_first_counts(job: Container, put: Lines) -> None:
    """Whatever the variant and the name of the file: by the hour, then by the minute."""
    put(captured(minute=7, variant="champion"), [capture(event(3), "0,0.2")])
    put(captured(minute=6, variant="other"), [capture(event(3), "1,0.9"), capture(event(3), "0,0.3")])
    found = collected(job)
    rows = job.table("predictions.parquet")
    assert rows.loc[rows["source"] == "online", ["score", "model"]].to_numpy().tolist() == [[0.9, "other"]]
    assert found["answers"] == {"batch": 24, "online": 1, "repeated": 2, "of_other_windows": 0}


def test_answers_to_events_of_other_windows_are_left_out(job: Container, put: Lines) -> None:
    """The time of the event decides, by the client's word, and where it gives none by the request's time."""
    put(captured(), [capture("x", time="2020-01-03T00:00:00Z"), capture(None)])
    found = collected(job)
    rows = job.table("predictions.parquet")
    assert rows.loc[rows["source"] == "online", "event_id"].tolist() == ["sagemaker-gave-it"]
    assert (found["events"], found["labelled"], found["answers"]["of_other_windows"]) == (25, 24, 1)


@pytest.fixture
def rule(job: Container, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Gives the cycle another rule of monitoring."""
    assert job

    def change(**rule: Any) -> None:  # noqa: ANN401 - the fields of Monitoring
        module = importlib.import_module("include.cycles.ice.cycle")
        monkeypatch.setattr(module, "CYCLE", replace(module.CYCLE, monitoring=Monitoring(**rule)))

    return change


def merged(job: Container) -> list[dict[str, Any]]:
    """The merged records."""
    return [json.loads(line) for line in (job.output / "merged/part-00000.jsonl").read_text().splitlines()]


def test_merged_records_are_captures_with_ground_truth(
    job: Container, put: Lines, rule: Callable[..., None]
) -> None:
    """Matched on the inference id, or on SageMaker's event id where the client gave none."""
    rule(retention=None)
    put(captured(), [capture(event(3)), capture(None), capture("no-label")])
    put("truth/2020/01/02/09/a.jsonl", [truth("sagemaker-gave-it", "0")])
    collected(job)
    lines = merged(job)
    assert [line["groundTruthData"] for line in lines] == [
        {"data": "1", "encoding": "CSV"},
        {"data": "0", "encoding": "CSV"},
    ]
    assert lines[0]["captureData"]["endpointInput"]["data"] == "A,US,1"


def test_late_and_corrected_labels_keep_the_time_they_were_known(job: Container, put: Lines) -> None:
    """A correction is a version of its own; a label after the window's end is late, and is there."""
    put(captured(), [capture("online-only")])
    put("truth/2020/01/02/22/a.jsonl", [truth(event(3), "0", "2020-01-02T22:10:00Z")])
    put("truth/2020/01/04/08/a.jsonl", [truth("online-only", "1"), truth(event(3), "0")])
    found = collected(job)
    labels = job.table("labels.parquet").set_index("event_id")
    corrected = labels.loc[[event(3)]]
    assert corrected[["label", "version"]].to_numpy().tolist() == [["1", 0], ["0", 1]]
    assert corrected["known_time"].tolist()[1] == pd.Timestamp("2020-01-02T22:10:00Z")
    # the record does not say when in the hour of its folder
    assert labels.loc["online-only", "known_time"] == pd.Timestamp("2020-01-04T09:00:00Z")
    assert (found["late"], found["corrected"], found["duplicate"]) == (1, 1, 1)


def test_labels_of_unknown_events_are_counted(job: Container, put: Lines) -> None:
    """An event of this window that nobody asked about; one of another window, or not yet, is none."""
    put(captured(), [capture("tomorrow", time="2020-01-03T04:00:00Z")])
    lines = [truth("nobody", "1"), truth("tomorrow", "0"), truth("x", "0", eventTime="2020-01-01T04:00:00Z")]
    put("truth/2020/01/02/22/a.jsonl", lines)
    assert collected(job)["unknown_events"] == 1


def test_broken_records_are_named_and_hide_nothing(job: Container, put: Lines) -> None:
    """A line that was cut off is told with its place, without its data; the others count."""
    broken = capture("secret-customer")[:90]
    put(
        captured(), [broken, capture(event(3)), capture(event(4), "1,0.5\n0,0.5\n"), capture(event(5), "1,x")]
    )
    put("truth/2020/01/02/22/a.jsonl", [truth(event(3), "0"), truth(event(4), "7"), '{"eventMetadata": {}}'])
    found = collected(job)
    captures, truths = found["malformed"]["captures"], found["malformed"]["truth"]
    assert (captures["count"], truths["count"], found["corrected"]) == (3, 2, 1)
    assert captures["examples"][0].startswith(
        "ice/champion/2020/01/02/05/00-00-000-a.jsonl, line 1: it is no JSON"
    )
    assert "answers 2 rows" in captures["examples"][1]
    assert "secret" not in json.dumps(found)


def test_what_a_client_can_send_is_at_most_counted(job: Container, put: Lines) -> None:
    """Absurd times, identifiers and nesting are counted by reason, and the good answers are judged."""
    end, deep = "9999-12-31T23:59:59-05:00", '{"a": ' + "[" * 5000 + "]" * 5000 + "}"
    odd = [
        capture(event(4), time=end),
        capture(event(5), time=end),
        capture("\ud800"),
        deep,
        capture("ok", "1,2"),
    ]
    put(captured(), [capture(event(3)), *odd, capture(event(6))])
    put(
        "truth/2020/01/02/22/a.jsonl",
        [truth(event(3), "0", known=end), truth("\ud800", "1"), truth(event(6), "1")],
    )
    found = collected(job)
    assert found["answers"]["online"] == 2
    assert found["malformed"]["captures"]["reasons"] == {
        "it is nested too deeply": 1,
        "its event_time lies beyond the years 1 to 9999": 2,
        "its inferenceId is no text": 1,
        "its score is no probability": 1,
    }
    assert found["malformed"]["truth"]["reasons"] == {
        "its eventId is no text": 1,
        "its knownTime lies beyond the years 1 to 9999": 1,
    }


def test_encodings(job: Container, put: Lines) -> None:
    """An answer in BASE64, and JSON, is read like CSV."""
    plain = json.loads(capture(event(3)))
    hidden = {"data": base64.b64encode(b"1,0.75\n").decode(), "encoding": "BASE64"}
    plain["captureData"]["endpointOutput"] |= hidden
    other = json.loads(capture(event(4)))
    answer = {
        "observedContentType": "application/json",
        "data": '{"predictions": [{"label": "0", "score": 0.1}]}',
    }
    other["captureData"]["endpointOutput"] |= {**answer, "encoding": "JSON"}
    put(captured(), [json.dumps(plain), json.dumps(other)])
    collected(job)
    rows = job.table("predictions.parquet")
    online = rows.loc[rows["source"] == "online", ["event_id", "label", "score"]]
    assert online.to_numpy().tolist() == [[event(3), "1", 0.75], [event(4), "0", 0.1]]


@pytest.mark.parametrize("given", [{"private": ("station",), "retention": None}, {}])
def test_merged_records_do_not_outlive_requests(
    job: Container, put: Lines, rule: Callable[..., None], given: dict[str, Any]
) -> None:
    """Requests with a private column, and those that are to be forgotten, are merged by their answers."""
    rule(**given)
    put(captured(), [capture(event(3))])
    collected(job)
    (line,) = merged(job)
    assert set(line["captureData"]) == {"endpointOutput"}


def test_a_scored_event_that_was_not_prepared_is_refused(job: Container, tmp_path: Path) -> None:
    """Answers of another window's transform are no predictions of this one."""
    (tmp_path / "scored/part-00000.csv.out").write_text("B-1,1,0.5\n")
    assert "B-1 was scored, but is not among the prepared rows" in job.refuse("collect", **DAY_2)
