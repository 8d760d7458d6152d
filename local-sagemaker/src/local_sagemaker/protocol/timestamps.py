"""Points in time as the protocols write them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from botocore.utils import parse_timestamp


def parse(value: object) -> datetime:
    """Parse seconds since 1970, ISO 8601 or RFC 822; raise ValueError if `value` is none of these."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is no timestamp.")  # noqa: TRY004 (bad data of a client, one kind of error)
    try:
        moment: datetime = parse_timestamp(value)  # type: ignore[arg-type]  # takes numbers as well
    except RuntimeError as error:  # botocore's, of numbers that are too large
        raise ValueError(f"{value!r} lies beyond all calendars.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def write(moment: datetime, style: str) -> str | float:
    """`moment` as `iso8601`, `rfc822` or `unixtimestamp`, to the millisecond as AWS does."""
    utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if style == "unixtimestamp":
        return round(utc.timestamp(), 3)
    if style == "rfc822":
        return format_datetime(utc, usegmt=True)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
