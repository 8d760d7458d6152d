"""What the page tells of a cycle is what its records say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from flywheel.ui.app import warm_up
from flywheel.ui.endpoint import served_versions
from flywheel.ui.lazy import begin_reading, reading_ahead
from flywheel.ui.readers import reader
from include.core.cycle import find_cycles
from include.core.documents.retraining import RetrainingRequest
from include.core.sagemaker import requests
from include.core.settings import Settings
from tests.examples import month
from tests.flywheel.ui.conftest import ARN, BY, KEY, Browser, Written, entry
from tests.ml.reports import windows as example


def view(browser: Browser, **query: int) -> dict[str, Any]:
    """The parts of the cycle flights."""
    found = browser().get("/flywheel/api/cycles/flights", params=query).json()
    assert {name: part["error"] for name, part in found["parts"].items()} == dict.fromkeys(found["parts"])
    return {name: part["value"] for name, part in found["parts"].items()}


def test_a_cycle_without_any_record_is_empty(browser: Browser) -> None:
    """Nothing is made up: no champion, no window, no endpoint, and no error either."""
    found = view(browser)
    assert found["ledger"] == {"champion": None, "total": 0, "promotions": [], "entries": []}
    assert (found["watch"]["windows"], found["watch"]["total"]) == ([], 0)
    assert (found["requests"], found["registry"], found["replay"], found["endpoint"]) == ([], [], None, None)


def test_the_ledger_is_told_newest_first_with_its_champion(browser: Browser, written: Written) -> None:
    """Of two promotions the one with the later data is in production."""
    written.ledger(entry("decision", 3, 2), entry("promotion", 4, 2, version=f"{ARN}/2"))
    ledger = view(browser)["ledger"]
    assert [each["number"] for each in ledger["entries"]] == [4, 3, 2, 1]
    assert ledger["champion"] == 4
    assert ledger["entries"][0]["version"] == "flights/2"
    assert ledger["entries"][0]["evaluation"] == f"evaluate/{month(2)}/{KEY}"
    assert ledger["entries"][0]["says"] == "flights/2 was promoted. It is better."


def test_a_rollback_withdraws_what_it_left(browser: Browser, written: Written) -> None:
    """The promotion that production went back from is marked, and the earlier one is the champion again."""
    back = entry(
        "rollback", 5, 1, version=f"{ARN}/1", replaces=f"{ARN}/2", effective=month(2).end.isoformat()
    )
    written.ledger(entry("decision", 3, 2), entry("promotion", 4, 2, version=f"{ARN}/2"), back)
    ledger = view(browser)["ledger"]
    assert ledger["champion"] == 2
    assert [each["number"] for each in ledger["entries"] if each["is_withdrawn"]] == [4]
    assert ledger["entries"][0]["says"].startswith("Production went back from flights/2 to flights/1.")
    again = {each["number"]: each["returned"] for each in ledger["promotions"]}
    assert again == {
        2: {"at": back.as_json()["at"], "by": BY, "replaces": "flights/2"},
        4: None,
    }


def test_what_is_served_is_what_the_configuration_names(
    browser: Browser, installed: Settings, written: Written
) -> None:
    """A second version was promoted and not deployed: the endpoint's configuration still has the first."""
    first, second = entry("promotion", 2, 1, version=f"{ARN}/1"), entry("promotion", 4, 2, version=f"{ARN}/2")
    written.ledger(entry("decision", 3, 2), second)
    versions = {each.model_uri: f"flights/{n}" for n, each in enumerate((first, second), 1)}
    cycle, hook = find_cycles()["flights"], reader().hook
    for name, uri in (("m-1", first.model_uri), ("m-none", "s3://b/other/model.tar.gz")):
        hook.api.create_model(**requests.model(name, uri, installed))
        config = requests.endpoint_config(f"c-{name}", cycle, name, installed)
        hook.api.create_endpoint_config(**config)
    described = [{"EndpointConfigName": f"c-{name}"} for name in ("m-1", "m-none")]
    found = [served_versions(hook, each, versions) for each in described]
    assert found == [["flights/1"], [None]]
    assert view(browser)["ledger"]["champion"] == 4


def test_windows_are_told_oldest_first(browser: Browser, written: Written) -> None:
    """Each with its quality, its drift and its decision."""
    written.watched(month(3), alarm=True)
    written.watched(month(2))
    watch = view(browser)["watch"]
    assert [each["name"] for each in watch["windows"]] == [str(month(2)), str(month(3))]
    assert [each["is_alarm"] for each in watch["windows"]] == [False, True]
    last = watch["windows"][1]
    assert last["quality"]["value"] == pytest.approx(0.7)
    assert last["features"] == [
        {"name": "temp", "test": "ks", "distance": 0.4, "p_value": 0.0, "importance": 0.2, "is_drifted": True}
    ]
    assert last["decision"]["due"] is False
    assert last["decision"]["says"].startswith("After the window up to 2013-04-01: retraining is not due.")


def test_only_the_last_windows_are_told_unless_more_are_asked_for(browser: Browser, written: Written) -> None:
    """How many there are is told all the same."""
    for number in (2, 3, 4):
        written.watched(month(number))
    assert [each["name"] for each in view(browser, windows=1)["watch"]["windows"]] == [str(month(4))]
    assert view(browser, windows=1)["watch"]["total"] == 3
    assert len(view(browser, windows=9)["watch"]["windows"]) == 3


def test_a_window_has_its_distributions_labels_and_report(browser: Browser, written: Written) -> None:
    """They are read from what the steps wrote for that window."""
    window = month(2)
    distributions = example.distributions([example.spread("temp")]).as_json()
    coverage = example.coverage().as_json()
    written.put(f"monitor/{window}/{KEY}/distributions.json", distributions)
    written.put(f"collect/{window}/{KEY}/coverage.json", coverage)
    written.put(f"report/{window}/{KEY}/report.html", b"<p>")
    written.watched(window)
    found = browser().get(f"/flywheel/api/cycles/flights/windows/{window}").json()["value"]
    assert found["distributions"] == distributions
    assert found["coverage"] == coverage
    assert found["answers"] == coverage["answers"]
    assert found["report"] == f"report/{window}/{KEY}"
    assert found["monitor"] == f"monitor/{window}/{KEY}"
    assert found["collect"] == f"collect/{window}/{KEY}"
    for record in (found["record"], found["decision"]["record"]):
        assert (
            browser().get(f"/flywheel/cycles/flights/files/{record}").json()["at"] <= found["decision"]["at"]
        )


@pytest.mark.parametrize(
    ("key", "part", "fault"),
    [
        (f"collect/{{}}/{KEY}/coverage.json", "watch", "Coverage lacks events"),
        (f"compare/{{}}/{KEY}/replay.json", "replay", "Replay lacks months"),
    ],
)
def test_a_document_without_a_field_is_an_error_of_its_part(
    browser: Browser, written: Written, key: str, part: str, fault: str
) -> None:
    """The field is named, and the other parts are shown."""
    written.watched(month(2))
    written.put(key.format(month(2)), {"metric": "roc_auc"})
    parts = browser().get("/flywheel/api/cycles/flights").json()["parts"]
    assert fault in parts[part]["error"]
    assert {name for name in parts if parts[name]["error"]} == {part}


def test_a_window_that_nobody_watched_is_not_found(browser: Browser, written: Written) -> None:
    """Also if its name is no window's."""
    written.watched(month(2))
    asked = [str(month(5)), "2013", "..%2fledger"]
    answers = [browser().get(f"/flywheel/api/cycles/flights/windows/{name}").status_code for name in asked]
    assert answers == [404, 404, 404]


def test_a_request_is_open_until_its_training_is_decided(browser: Browser, written: Written) -> None:
    """The decision about the data that was asked for answers it."""
    written.watched(month(2))
    request = RetrainingRequest(
        at=datetime(2026, 1, 2, tzinfo=UTC),
        by=BY,
        window=month(2),
        decision_uri=f"s3://b/flights/watch/{month(2)}/decisions/{KEY}.json",
        reasons=("drift",),
        train_interval=month(2),
        data_end=month(2).end,
        number=1,
    )
    written.asked(request)
    [told] = view(browser)["requests"]
    assert (told["is_open"], told["reasons"]) == (True, ["drift"])
    assert told["decision"] == f"watch/{month(2)}/decisions/{KEY}.json"


def test_a_damaged_record_is_told_and_the_rest_is_shown(browser: Browser, written: Written) -> None:
    """One part fails with its reason; the others are as they are."""
    written.put("ledger/00000003.json", b"not json")
    parts = browser().get("/flywheel/api/cycles/flights").json()["parts"]
    assert "00000003.json" in parts["ledger"]["error"]
    assert parts["ledger"]["value"] is None
    assert parts["watch"]["error"] is None


def test_what_was_read_ahead_is_not_read_again(browser: Browser, written: Written) -> None:
    """Records never change, so one that is overwritten against the rule is not even noticed."""
    looking = browser()
    warm_up()
    written.put("ledger/00000001.json", b"not json")
    parts = looking.get("/flywheel/api/cycles/flights").json()["parts"]
    assert (parts["ledger"]["error"], parts["ledger"]["value"]["total"]) == (None, 2)


def test_reading_begins_when_airflow_begins_to_serve(browser: Browser, written: Written) -> None:
    """Once for a process, and nothing comes between requests and their answers."""
    looking = browser()
    begin_reading.cache_clear()
    assert reading_ahead(looking.app) is looking.app
    assert begin_reading() is begin_reading()
    begin_reading().join()
    written.put("ledger/00000001.json", b"not json")
    parts = looking.get("/flywheel/api/cycles/flights").json()["parts"]
    assert (parts["ledger"]["error"], parts["ledger"]["value"]["total"]) == (None, 2)


def test_a_card_tells_champion_window_and_last_decision(browser: Browser, written: Written) -> None:
    """What the overview shows of a cycle."""
    written.watched(month(2))
    card = next(c for c in browser().get("/flywheel/api/cycles").json()["cycles"] if c["name"] == "flights")
    ledger, watch = card["parts"]["ledger"]["value"], card["parts"]["watch"]["value"]
    assert ledger["champion"]["version"] == "flights/1"
    assert ledger["champion"]["data_end"] == month(1).end.isoformat()
    assert watch["window"]["name"] == str(month(2))
    assert watch["decision"]["says"].startswith("After the window up to 2013-03-01")
    assert card["parts"]["endpoint"] | {"as_of": None} == {"as_of": None, "value": None, "error": None}
