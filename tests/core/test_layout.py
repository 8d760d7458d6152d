"""Names and places are written and parsed by the layout."""

from __future__ import annotations

import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.core.exceptions import FlywheelError
from include.core.layout import (
    NAME_LIMIT,
    Interval,
    JobName,
    folder_of,
    hour_folder,
    job_name,
    join_uri,
    parse_hour,
    parse_job_name,
    retrain_uri,
    scoring_dag,
    split_uri,
    start_text,
    training_dag,
    version_number,
    version_of,
)
from include.core.places import (
    Places,
    below_cycle,
    below_step,
    compacted,
    entry_name,
    key_of,
    output_path,
    parse_place,
)

STATE = Path(__file__).resolve().parents[1] / "state/version-1/sagemaker.tar.xz"

MONTH = Interval(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC))
KEY = "0123456789abcdef" * 4
STEPS = [
    "fetch",
    "clean",
    "transform",
    "train",
    "evaluate",
    "prepare",
    "batch_transform",
    "monitor",
    "endpoint",
]


def test_an_interval_of_whole_days_is_written_by_its_dates() -> None:
    """Midnight needs no time of day."""
    assert str(MONTH) == "2013-01-01_2013-02-01"


def test_an_interval_of_hours_is_written_with_the_time_of_day() -> None:
    """A time is written without a colon, which S3 and file systems dislike."""
    hours = Interval(datetime(2013, 1, 1, 6, tzinfo=UTC), datetime(2013, 1, 2, tzinfo=UTC))
    assert str(hours) == "2013-01-01T06-00_2013-01-02"


def test_an_interval_survives_being_written_as_json() -> None:
    """What goes through XCom comes back equal."""
    assert Interval.from_iso(MONTH.iso) == MONTH


def test_a_job_is_named_by_cycle_step_start_and_key() -> None:
    """The first generation has no suffix, later ones have."""
    assert job_name("flights", "clean", MONTH, KEY) == "flights-clean-20130101-0123456789ab"
    assert job_name("flights", "clean", MONTH, KEY, 2) == "flights-clean-20130101-0123456789ab-g2"


@given(
    cycle=st.from_regex(r"[a-z][a-z0-9]{0,15}", fullmatch=True),
    step=st.sampled_from(STEPS),
    generation=st.integers(1, 99),
)
def test_every_job_name_keeps_sagemakers_rules(cycle: str, step: str, generation: int) -> None:
    """The longest cycle and step still leave room for ninety-nine generations."""
    name = job_name(cycle, step, MONTH, KEY, generation)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
    assert len(name) <= NAME_LIMIT


def test_a_name_that_is_too_long_is_refused_with_advice() -> None:
    """SageMaker would refuse it anyway, with less to go on."""
    with pytest.raises(FlywheelError, match=f"{NAME_LIMIT}"):
        job_name("c" * 60, "clean", MONTH, KEY)


def test_a_uri_is_split_into_bucket_and_key() -> None:
    """Both parts come back."""
    assert split_uri("s3://bucket/a/b.json") == ("bucket", "a/b.json")


@pytest.mark.parametrize("uri", ["http://bucket/a", "bucket/a", "s3:///a"])
def test_what_is_no_s3_uri_is_refused(uri: str) -> None:
    """The error names what was given."""
    with pytest.raises(FlywheelError, match=re.escape(repr(uri))):
        split_uri(uri)


@pytest.mark.parametrize("text", ["2013-01-01_2013-02-01", "2013-01-01T06-00_2013-01-02"])
def test_an_interval_is_parsed_as_it_is_written(text: str) -> None:
    """Days and hours come back as the same text."""
    assert str(Interval.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "2013-01-01", "a_b", "2013-01-01_2013-02-01_2013-03-01", "2013-13-01_2013-02-01"]
)
def test_what_is_no_interval_is_refused(text: str) -> None:
    """The error quotes what was given."""
    with pytest.raises(FlywheelError, match=re.escape(repr(text))):
        Interval.parse(text)


@given(
    cycle=st.from_regex(r"[a-z][a-z0-9]{0,15}", fullmatch=True),
    step=st.sampled_from(STEPS),
    generation=st.integers(1, 99),
)
def test_a_job_name_is_parsed_as_it_is_written(cycle: str, step: str, generation: int) -> None:
    """Every part but the rest of the key comes back."""
    expected = JobName(cycle, step, "20130101", KEY[:12], generation)
    assert parse_job_name(job_name(cycle, step, MONTH, KEY, generation)) == expected


@pytest.mark.parametrize(
    "name", ["", "flights", "flights-clean-20130101", "flights-clean-20130101-0123456789ab-x"]
)
def test_other_names_are_no_job_names(name: str) -> None:
    """Other programs have jobs in the same account."""
    assert parse_job_name(name) is None


def test_versions_are_named_by_group_and_number() -> None:
    """An ARN is for AWS, the short name for people."""
    arn = "arn:aws:sagemaker:us-east-1:000000000000:model-package/flights/3"
    assert (version_of(arn), version_number(arn)) == ("flights/3", "3")


def test_dags_and_the_asset_are_named_by_their_cycle() -> None:
    """They are part of what users type."""
    names = (training_dag("flights"), scoring_dag("flights"), retrain_uri("flights"))
    assert names == ("flights_train_and_deploy", "flights_score_and_monitor", "flywheel://flights/retrain")


def test_a_start_is_written_as_the_form_takes_it() -> None:
    """Midnight needs no time of day."""
    assert [start_text(moment) for moment in (MONTH.start, MONTH.start.replace(hour=6))] == [
        "2013-01-01",
        "2013-01-01T06:00",
    ]


def test_an_hour_is_a_folder_and_back() -> None:
    """Captured files lie by the hour of their requests, in UTC."""
    hour = MONTH.start.replace(hour=6)
    assert (hour_folder(hour), parse_hour(hour_folder(hour))) == ("2013/01/01/06", hour)


PLACES = Places("bucket", "flights")
MONTHS = "2013-01-01_2013-02-01"
WRITTEN = [
    (PLACES.output("clean", MONTH, KEY), f"flights/clean/{MONTHS}/{KEY}/", "output"),
    (PLACES.reproduction(KEY, "job"), f"flights/reproduce/{KEY}/job/", "reproduction"),
    (PLACES.code(KEY), f"code/{KEY}.tar.gz", "code"),
    (PLACES.key_record(KEY), f"flights/keys/{KEY}.json", "key_record"),
    (PLACES.manifest_list(KEY), f"flights/manifests/{KEY}.json", "manifest_list"),
    (
        PLACES.report_input(KEY) + "report_input.json",
        f"flights/report-inputs/{KEY}/report_input.json",
        "report_input",
    ),
    (
        PLACES.replay_input(KEY) + "replay_input.json",
        f"flights/replays/{KEY}/replay_input.json",
        "replay_input",
    ),
    (PLACES.plan(KEY) + "plan.json", f"flights/plans/{KEY}/plan.json", "plan"),
    (PLACES.ledger + entry_name(7), "flights/ledger/00000007.json", "ledger_entry"),
    (PLACES.requests + entry_name(7), "flights/requests/00000007.json", "request"),
    (PLACES.watch_record(MONTH, KEY), f"flights/watch/{MONTHS}/{KEY}.json", "watch_record"),
    (PLACES.watch_record(MONTH, KEY, 2), f"flights/watch/{MONTHS}/{KEY}-2.json", "watch_record"),
    (PLACES.watch_decision(MONTH, KEY), f"flights/watch/{MONTHS}/decisions/{KEY}.json", "watch_decision"),
    (PLACES.rollout("config", "attempt-1"), "flights/rollouts/config/attempt-1.json", "rollout"),
    (
        f"{PLACES.captured}flights/champion/2013/01/01/06/a.jsonl",
        "flights/captured/flights/champion/2013/01/01/06/a.jsonl",
        "captured",
    ),
    (
        f"{PLACES.captured_batch}input/2013/01/01/06/a.jsonl",
        "flights/captured-batch/input/2013/01/01/06/a.jsonl",
        "captured_batch",
    ),
    (
        f"{PLACES.ground_truth}2013/01/01/06/a.jsonl",
        "flights/truth/2013/01/01/06/a.jsonl",
        "ground_truth",
    ),
    (PLACES.traffic(MONTH, KEY, 10), f"flights/traffic/{MONTHS}/{KEY}-10.json", "traffic"),
    (
        join_uri("bucket", compacted("flights/ledger/") + entry_name(100)),
        "flights/volumes/ledger/00000100.json",
        "compacted_segment",
    ),
]


@pytest.mark.parametrize(("uri", "key", "kind"), WRITTEN)
def test_a_place_is_written_and_parsed(uri: str, key: str, kind: str) -> None:
    """State of every version lies there: no place ever changes."""
    assert split_uri(uri) == ("bucket", key)
    found = parse_place(key)
    assert found is not None
    assert found.kind == kind


def test_a_parsed_output_says_all_that_its_place_says() -> None:
    """Step, interval, key and file come back."""
    found = parse_place(f"flights/train/{MONTHS}/{KEY}/job/output/model.tar.gz")
    assert found is not None
    expected = {"step": "train", "interval": MONTHS, "key": KEY}
    assert found.parts == {**expected, "file": "job/output/model.tar.gz"}
    assert Interval.parse(found.parts["interval"]) == MONTH


@pytest.mark.parametrize(
    "key", ["", "flights/", "Flights/keys/a.json", f"flights/clean/x/{KEY}/a", "flights/a/b"]
)
def test_other_keys_are_no_place(key: str) -> None:
    """What somebody else put into the bucket is not ours."""
    assert parse_place(key) is None


def test_every_object_of_version_1_lies_at_a_known_place() -> None:
    """Nothing that an earlier version wrote is lost."""
    with tarfile.open(STATE) as tar:
        names = [member.name for member in tar if member.isfile()]
    keys = [name.removeprefix("s3/flywheel/") for name in names if name.startswith("s3/flywheel/")]
    assert keys
    assert [key for key in keys if parse_place(key) is None] == []


def test_every_job_of_version_1_has_a_name_that_parses() -> None:
    """Each log is named for its job."""
    with tarfile.open(STATE) as tar:
        logs = [member.name.split("/")[-1] for member in tar if "Jobs/" in member.name and member.isfile()]
    assert logs
    assert [name for name in logs if parse_job_name(name.partition("%2F")[0]) is None] == []


def test_the_folder_of_an_object_ends_with_a_slash() -> None:
    """A job's input is a folder."""
    assert folder_of("s3://bucket/a/model.tar.gz") == "s3://bucket/a/"


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (f"flights/clean/{MONTHS}/{KEY}/", f"clean/{MONTHS}/{KEY}"),
        (f"flights/clean/{MONTHS}/{KEY}", f"clean/{MONTHS}/{KEY}"),
        (f"flights/train/{MONTHS}/{KEY}/job/output/model.tar.gz", f"train/{MONTHS}/{KEY}"),
        (f"flights/keys/{KEY}.json", None),
        ("", None),
    ],
)
def test_an_output_has_an_address_on_the_page(rest: str, expected: str | None) -> None:
    """The page's scripts know no places of S3."""
    assert output_path(f"s3://bucket/{rest}") == expected
    assert output_path(f"http://bucket/{rest}") is None


def test_uris_below_a_cycle_are_cut_by_the_layout() -> None:
    """What follows the cycle, what follows the step, and the key at the end."""
    uri = PLACES.output("clean", MONTH, KEY)
    found = (below_cycle(uri), below_step(uri), key_of(uri))
    assert found == (f"clean/{MONTHS}/{KEY}/", f"{MONTHS}/{KEY}/", KEY)
