"""Whatever can be known when a cycle is described is refused there: every field, all faults at once."""
# ruff: noqa: ANN401 - fields hold anything here

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from include.core.checks import close_match, show
from include.core.cycle import (
    JOB_ARGUMENTS,
    Compute,
    Cycle,
    FileSource,
    Promotion,
    PythonSource,
    Rollout,
    Split,
)
from include.core.exceptions import InvalidCycle, PermanentError
from include.core.monitoring import Facet, Monitoring
from include.core.tasks import TASKS

START = datetime(2013, 1, 1, tzinfo=UTC)
#: a cycle in which no optional value is missing
FULL = Cycle(
    name="flights",
    description="Will it be late?",
    task="binary",
    schedule="0 0 1 * *",
    start=START,
    end=datetime(2014, 1, 1, tzinfo=UTC),
    source=FileSource({"flights": "s3://raw/{start:%Y-%m}.csv"}),
    split=Split(holdout=timedelta(days=7), validation=timedelta(days=4)),
    metric="roc_auc",
    promotion=Promotion(slice_floors={"carrier": -0.1}, block=timedelta(days=1)),
    hyperparameters={"depth": "3"},
    rollout=Rollout(latency_mean_limit_ms=100.0),
    monitoring=Monitoring(
        schedule="0 0 * * *",
        private=("tailnum",),
        request_lag=timedelta(days=1),
        facets=(Facet(column="carrier", values=("EV",)),),
    ),
)
#: values that most fields cannot have, by the name under which ACCEPTED lists the fields that can
VALUES: dict[str, Any] = {
    "None": None,
    "empty text": "",
    "blank": " \n",
    "text": "seven",
    "number as text": "7",
    "-1": -1,
    "0": 0,
    "7": 7,
    "huge": 10**30,
    "0.5": 0.5,
    "-0.5": -0.5,
    "nan": math.nan,
    "inf": math.inf,
    "True": True,
    "bytes": b"seven",
    "empty tuple": (),
    "list": ["seven"],
    "tuple of numbers": (7,),
    "tuple of texts": ("seven",),
    "empty dict": {},
    "dict of numbers": {"a": 7},
    "dict by number": {7: "a"},
    "naive moment": datetime(2013, 1, 1),  # noqa: DTZ001 - that is what is wrong
    "moment elsewhere": datetime(2013, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    "date": date(2013, 1, 1),
    "negative length": timedelta(days=-1),
    "no length": timedelta(0),
    "object": object(),
    "class": PythonSource,
    "other record": Split(holdout=timedelta(days=1), validation=timedelta(days=1)),
}
NUMBERS = ("Promotion.minimum_gain", "Promotion.slice_floor")
SHARES = (
    *("Cycle.quarantine_limit_share", "Rollout.error_rate_limit", "Rollout.client_error_gain_limit"),
    *("Monitoring.minimum_distance", "Monitoring.significance", "Monitoring.minimum_importance"),
    *(
        "Promotion.operating_slack",
        "Monitoring.operating_drop",
        "Monitoring.separability_limit",
        "Monitoring.matured_share",
        "Rollout.canary_share",
    ),
)
COUNTS = ("Rollout.minimum_invocations", "Monitoring.minimum_rows", "Monitoring.minimum_new_labels")
FROM_ONE = ("Compute.instance_count", "Compute.volume_gb", "Compute.max_runtime_s")
LIMITS = ("Rollout.latency_p99_limit_ms", "Rollout.latency_mean_limit_ms")
FREE = ("Cycle.description", "Cycle.intended_uses", "Cycle.limits", "Facet.column")
OPTIONAL_LENGTHS = ("Promotion.block", "Monitoring.request_lag", "Monitoring.retention")
#: the values that fields may have; each stands for a meaning, and everything else is refused
ACCEPTED: dict[str, tuple[str, ...]] = {
    "None": (
        *("Cycle.end", "Rollout.error_rate_limit", "Rollout.client_error_gain_limit", *LIMITS),
        *(*OPTIONAL_LENGTHS, "Monitoring.schedule", "Monitoring.separability_limit"),
        "Promotion.operating_slack",
    ),
    "text": ("Cycle.name", *FREE),
    # a name of a column may look like a number
    "number as text": FREE,
    "-1": NUMBERS,
    "-0.5": NUMBERS,
    "0": (
        *NUMBERS,
        *SHARES,
        *COUNTS,
        "Rollout.bake_s",
        "Promotion.seed",
        "Monitoring.quality_drop",
        "Monitoring.budget",
    ),
    "7": (
        *("Promotion.slice_floor", *FROM_ONE, *COUNTS, *LIMITS, "Rollout.bake_s", "Promotion.seed"),
        *("Monitoring.budget", "Monitoring.windows"),
    ),
    "huge": (
        *("Promotion.slice_floor", *COUNTS, *LIMITS, "Rollout.bake_s", "Compute.instance_count"),
        *("Promotion.repetitions", "Monitoring.budget", "Monitoring.windows"),
    ),
    "0.5": (*NUMBERS, *SHARES, *LIMITS, "Rollout.bake_s", "Promotion.confidence", "Monitoring.quality_drop"),
    "empty tuple": ("Monitoring.private", "Monitoring.facets", "FileSource.missing"),
    "list": ("FileSource.missing",),
    "tuple of texts": ("Monitoring.private", "Facet.values", "FileSource.missing"),
    "empty dict": ("Promotion.slice_floors", "Cycle.hyperparameters"),
    "dict of numbers": ("Promotion.slice_floors",),
    "no length": ("Monitoring.cool_down", "Monitoring.request_lead", "Monitoring.request_lag"),
    "other record": ("Cycle.split",),
}


def records(record: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every described value with the path of its fields."""
    yield path, record
    for described in fields(record):
        value = getattr(record, described.name)
        if is_dataclass(value):
            yield from records(value, f"{path}{described.name}.")
        elif isinstance(value, tuple):
            for number, part in enumerate(value):
                if is_dataclass(part):
                    yield from records(part, f"{path}{described.name}[{number}].")


PLACES = [
    (path, type(record).__name__, described.name)
    for path, record in records(FULL)
    for described in fields(record)
]


def changed(record: Any, path: str, field: str, value: Any) -> Any:
    """The cycle with one value somewhere in it."""
    if not path:
        return replace(record, **{field: value})
    name, rest = path.split(".", 1)
    if "[" in name:
        name = name.partition("[")[0]
        return replace(record, **{name: (changed(getattr(record, name)[0], rest, field, value),)})
    return replace(record, **{name: changed(getattr(record, name), rest, field, value)})


def faults_of(path: str, field: str, value: Any) -> tuple[str, ...] | None:
    """What is wrong with the cycle if a field has a value; None if nothing is."""
    try:
        changed(FULL, path, field, value)
    except InvalidCycle as error:
        return error.faults
    return None


def refusals(**wrong: Any) -> tuple[str, ...]:
    """The faults of a cycle in which some fields are wrong."""
    with pytest.raises(InvalidCycle) as refused:
        replace(FULL, **wrong)
    return refused.value.faults


@pytest.mark.parametrize(("path", "record", "field"), PLACES, ids=[path + name for path, _, name in PLACES])
def test_every_field_refuses_what_it_cannot_be_by_its_name(path: str, record: str, field: str) -> None:
    """Wrong types, nothing, blanks, negative and endless numbers: accepted is only what is listed here."""
    accepted = set()
    for name, value in VALUES.items():
        told = faults_of(path, field, value)
        if told is None:
            accepted.add(name)
            continue
        # a rule over two fields may name the other one first
        about = [fault for fault in told if f"{path}{field}" in fault]
        assert about, (name, told)
        assert all("Write" in fault or "must be" in fault for fault in about), about
    assert accepted == {name for name, places in ACCEPTED.items() if f"{record}.{field}" in places}


def test_all_faults_are_told_at_once() -> None:
    """Of the cycle and of every value inside it, each with what to write instead."""
    wrong, kept = datetime(2013, 1, 2, tzinfo=UTC), f"{', '.join(JOB_ARGUMENTS)}, sagemaker_..."
    with pytest.raises(InvalidCycle) as refused:
        Cycle(
            name="flights",
            description="Will it be late?",
            task="binray",  # type: ignore[arg-type] # that is what is wrong
            schedule="0 0 1 * *",
            start=wrong,
            end=datetime(2012, 1, 1, tzinfo=UTC),
            source=FileSource({}),
            split=Split(holdout=timedelta(days=-7), validation=timedelta(days=4)),
            metric="roc_acu",
            hyperparameters={"key": "1", "depth": 7},  # type: ignore[dict-item] # so is that
            processing=Compute(instance_type="m5.large"),
            promotion=Promotion(confidence=2),
            monitoring=Monitoring(alarms=3, windows=2),
        )
    assert [fault.split(". ")[0] for fault in refused.value.faults] == [
        "task='binray' is not 'binary' or 'multiclass'",
        "source.tables={} names no table",
        "split.holdout=-timedelta(days=7) must be more than timedelta(0).",
        "promotion.confidence=2 must be more than 0 and less than 1.",
        "hyperparameters['depth']=7 is not text",
        "processing.instance_type='m5.large' must be a type of instance such as 'ml.m5.xlarge'.",
        "monitoring.alarms=3 of monitoring.windows=2 can never be",
        "metric='roc_acu' is no metric",
        f"end=2012-01-01T00:00:00+00:00 is not after start={wrong.isoformat()}",
        f"schedule='0 0 1 * *' has no tick at start={wrong.isoformat()}, where the first interval begins",
        f"hyperparameters has the name 'key', which is kept for what every job is told ({kept})",
    ]
    advice = [fault.partition(". Write ")[2] for fault in refused.value.faults if ". Write " in fault]
    assert advice == [
        "'binary'.",
        "{'events': 's3://bucket/{start:%Y-%m}.csv'}.",
        "str(7).",
        "at most alarms=2, or more windows.",
        "'roc_auc'.",
        "the end of the last interval there will be data for, or None while the source lives.",
        "start=2013-02-01T00:00:00+00:00, or another schedule.",
        "another name.",
    ]
    assert isinstance(refused.value, PermanentError)
    assert str(refused.value).splitlines()[0].startswith("Cycle flights: task='binray'")


@pytest.mark.parametrize("task", TASKS)
def test_a_metric_decides_if_the_table_says_so(task: Any) -> None:
    """Whatever else has the name of a metric is refused with the nearest that decides."""
    for metric in {name for each in TASKS.values() for name in each.names}:
        if metric in TASKS[task].deciding:
            assert replace(FULL, task=task, metric=metric).metric == metric
        else:
            (fault,) = refusals(task=task, metric=metric)
            assert fault.startswith(f"metric={metric!r} ")
            assert any(name in fault for name in TASKS[task].deciding)


@pytest.mark.parametrize("name", ["cycle", "start", "end", "key", "sagemaker_program"])
def test_a_hyperparameter_is_none_of_a_jobs_own_arguments(name: str) -> None:
    """The job would not know its own interval."""
    assert [name in fault for fault in refusals(hyperparameters={name: "1"})] == [True]


@pytest.mark.parametrize(
    "given", [{f"p{number}": "1" for number in range(97)}, {"a" * 257: "1"}, {"a": "1" * 2501}]
)
def test_hyperparameters_are_as_many_and_as_long_as_sagemaker_takes(given: dict[str, str]) -> None:
    """Which would refuse the job, after fetch, clean and transform had run."""
    assert len(refusals(hyperparameters=given)) == 1
    assert replace(FULL, hyperparameters={f"p{number}": "1" * 2500 for number in range(96)})


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("s3://raw/{strat:%Y}.csv", "Write start in its braces"),
        ("s3://raw/{}.csv", "Write one of start, end in its braces"),
        ("s3://raw/{0}.csv", "an interval has start and end"),
        ("s3://raw/{start.year}.csv", "Write start in its braces"),
        ("s3://raw/{start}.csv", "Write {start:%Y-%m-%d}"),
        ("s3://raw/{start!r}.csv", "Write {start:%Y-%m-%d}"),
        ("s3://raw/{start!s:%Y}.csv", "Write {start:%Y-%m-%d}"),
        ("s3://raw/{end:%Q}.csv", "Write {end:%Y-%m-%d}"),
        ("s3://raw/{end:%Y%}.csv", "Write {end:%Y-%m-%d}"),
        ("s3://raw/{start:>10}.csv", "Write {start:%Y-%m-%d}"),
        ("s3://raw/{start:{end}}.csv", "Write {start:%Y-%m-%d}"),
        ("s3://raw/{start:%Y.csv", "is no template"),
        ("s3://raw/start:%Y}.csv", "is no template"),
        ("S3://raw/a.csv", "Begin it with s3://"),
        ("ftp://raw/a.csv", "Begin it with s3://"),
        ("raw/a.csv", "Begin it with s3://"),
        ("s3:/raw/a.csv", "Begin it with s3://"),
        ("http://[a/b.csv", "is no URI"),
        ("s3:///a.csv", "names no bucket"),
        ("https:///a.csv", "names no host"),
        ("file://data/a.csv", "Write file:///data/a.csv"),
        ("s3://raw/a.xlsx", "ends in '.xlsx'"),
        ("s3://raw/a", "ends in ''"),
        ("s3://raw/", "ends in ''"),
        (" ", "is empty"),
    ],
)
def test_a_uri_that_no_file_can_have_is_refused(uri: str, told: str) -> None:
    """With what to write instead."""
    faults = refusals(source=FileSource({"flights": uri}))
    assert [told in fault for fault in faults] == [True], faults
    assert f"source.tables['flights']={uri!r}" in faults[0]


@pytest.mark.parametrize(
    "uri",
    [
        "s3://raw/flights/{start:%Y-%m}.csv",
        "s3://raw/{start:%Y}/{start:%-m}/{end:%d}.parquet",
        "https://example.com/a b/{start:%Y%m%d}.csv.zip?x=1",
        "file:///data/{{x}}/{start:%j}.csv",
        "http://example.com/planes.csv",
    ],
)
def test_a_uri_of_a_file_is_taken(uri: str) -> None:
    """With fields of the interval or without."""
    assert replace(FULL, source=FileSource({"flights": uri})).source == FileSource({"flights": uri})


@pytest.mark.parametrize("table", ["quarantine", "a b", "a/b", "../a", "7", "-a", "a.b", "ä", "a" * 64])
def test_a_tables_name_is_that_of_a_file(table: str) -> None:
    """And none that clean writes itself."""
    (fault,) = refusals(source=FileSource({table: "s3://raw/a.csv"}))
    assert f"a table called {table!r}" in fault


def test_one_text_for_missing_is_no_list_of_texts() -> None:
    """Its letters would be taken for missing values."""
    faults = refusals(source=FileSource({"flights": "s3://raw/a.csv"}, missing="NA"))
    assert faults == ("source.missing='NA' is not a tuple, of which each part is text. Write ('NA',).",)


def test_a_split_leaves_rows_to_train_on() -> None:
    """Of a cycle whose end is known."""
    whole = Split(holdout=timedelta(days=300), validation=timedelta(days=65))
    (fault,) = refusals(split=whole)
    assert "leave no row to train on of the timedelta(days=365)" in fault
    assert replace(FULL, split=whole, end=None).split == whole


@pytest.mark.parametrize("end", [START, START - timedelta(microseconds=1)])
def test_an_end_comes_after_the_start(end: datetime) -> None:
    """Or nothing would ever run."""
    assert ["end=" in fault for fault in refusals(end=end)] == [True]


def test_an_end_leaves_room_for_an_interval() -> None:
    """Of the trainings and of the windows; otherwise nothing would ever run."""
    month = START + timedelta(days=31)
    monthly = Monitoring(schedule="0 0 1 * *")
    assert replace(FULL, end=month, monitoring=monthly).end == month
    faults = refusals(end=month - timedelta(days=1), monitoring=monthly)
    ends = "has no interval that ends by end=2013-01-31T00:00:00+00:00: the first ends at 2013-02-01T00:00:00"
    assert [fault.partition("=")[0] for fault in faults if ends in fault] == [
        "schedule",
        "monitoring.schedule",
    ]


def test_a_limit_that_the_metric_never_reaches_is_refused() -> None:
    """A share cannot gain or fall by 1, a loss can."""
    told = refusals(promotion=Promotion(minimum_gain=1.0), monitoring=Monitoring(quality_drop=1))
    assert ["roc_auc lies between 0.0 and 1.0" in fault for fault in told] == [True, True]
    assert replace(FULL, metric="log_loss", promotion=Promotion(minimum_gain=1.0))


def test_the_folder_of_code_is_no_cycle() -> None:
    """Its objects would lie among those of all cycles."""
    assert ["name='code'" in fault for fault in refusals(name="code")] == [True]


@settings(max_examples=150, deadline=None)
@given(
    place=some.sampled_from(PLACES),
    value=some.recursive(
        some.none()
        | some.booleans()
        | some.integers()
        | some.floats()
        | some.text()
        | some.binary()
        | some.timedeltas()
        | some.datetimes()
        | some.dates(),
        lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner) | some.tuples(inner, inner),
    ),
)
def test_any_value_is_accepted_or_refused_by_its_field(place: tuple[str, str, str], value: Any) -> None:
    """No other exception comes out of a description, whatever stands in it."""
    path, _, field = place
    told = faults_of(path, field, value)
    assert told is None or any(f"{path}{field}" in fault for fault in told), told
    assert max(map(len, told or [""])) < 1000


def test_values_are_shown_as_they_are_written() -> None:
    """Long ones are cut."""
    assert show(timedelta(days=1, seconds=2)) == "timedelta(days=1, seconds=2)"
    assert show(timedelta(hours=-1)) == "-timedelta(seconds=3600)"
    assert show(timedelta(0)) == "timedelta(0)"
    assert show("a" * 200) == "'" + "a" * 99 + "..."
    assert close_match("carier", ["carrier", "origin"]) == "Write 'carrier'."
    assert replace(FULL, source=PythonSource()).source == PythonSource()
