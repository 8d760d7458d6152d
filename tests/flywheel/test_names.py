"""How intervals, jobs and places are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.core.exceptions import FlywheelError
from include.core.layout import NAME_LIMIT, Interval, job_name, output_uri, split_uri

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


def test_an_interval_of_whole_days_is_written_by_its_dates():
    """Midnight needs no time of day."""
    assert str(MONTH) == "2013-01-01_2013-02-01"


def test_an_interval_of_hours_is_written_with_the_time_of_day():
    """A time is written without a colon, which S3 and file systems dislike."""
    hours = Interval(datetime(2013, 1, 1, 6, tzinfo=UTC), datetime(2013, 1, 2, tzinfo=UTC))
    assert str(hours) == "2013-01-01T06-00_2013-01-02"


def test_an_interval_survives_being_written_as_json():
    """What goes through XCom comes back equal."""
    assert Interval.from_iso(MONTH.iso) == MONTH


def test_a_job_is_named_by_cycle_step_start_and_key():
    """The first generation has no suffix, later ones have."""
    assert job_name("flights", "clean", MONTH, KEY) == "flights-clean-20130101-0123456789ab"
    assert job_name("flights", "clean", MONTH, KEY, 2) == "flights-clean-20130101-0123456789ab-g2"


@given(
    cycle=st.from_regex(r"[a-z][a-z0-9]{0,15}", fullmatch=True),
    step=st.sampled_from(STEPS),
    generation=st.integers(1, 99),
)
def test_every_job_name_keeps_sagemakers_rules(cycle: str, step: str, generation: int):
    """The longest cycle and step still leave room for ninety-nine generations."""
    name = job_name(cycle, step, MONTH, KEY, generation)
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
    assert len(name) <= NAME_LIMIT


def test_a_name_that_is_too_long_is_refused_with_advice():
    """SageMaker would refuse it anyway, with less to go on."""
    with pytest.raises(FlywheelError, match="Shorten the cycle's name"):
        job_name("c" * 60, "clean", MONTH, KEY)


def test_an_output_lies_by_step_interval_and_key():
    """The place ends with a slash, so that it is a folder."""
    expected = f"s3://bucket/flights/clean/2013-01-01_2013-02-01/{KEY}/"
    assert output_uri("bucket", "flights", "clean", MONTH, KEY) == expected


def test_a_uri_is_split_into_bucket_and_key():
    """Both parts come back."""
    assert split_uri("s3://bucket/a/b.json") == ("bucket", "a/b.json")


@pytest.mark.parametrize("uri", ["http://bucket/a", "bucket/a", "s3:///a"])
def test_what_is_no_s3_uri_is_refused(uri: str):
    """The error names what was given."""
    with pytest.raises(FlywheelError, match=re.escape(repr(uri))):
        split_uri(uri)
