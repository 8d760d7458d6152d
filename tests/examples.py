"""Evidence by hand, as docs/explanation/monitoring.md describes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from include.core.documents.manifest import KeyRecord, Manifest, OutputFile
from include.core.documents.model import Bounds, Verdict
from include.core.layout import Interval

Value = TypeVar("Value")


def not_none(value: Value | None) -> Value:
    """What has to be there."""
    assert value is not None
    return value


def month(number: int) -> Interval:
    """A month of 2013."""
    starts = [datetime(2013 + (n - 1) // 12, (n - 1) % 12 + 1, 1, tzinfo=UTC) for n in (number, number + 1)]
    return Interval(*starts)


def verdict(*, promote: bool) -> Verdict:
    """A verdict that says no more than whether to promote."""
    return Verdict(
        promote=promote,
        reasons=("It is better.",),
        metric="roc_auc",
        challenger=Bounds(0.7, 0.6, 0.8),
        baselines={"constant": Bounds(0.5, 0.5, 0.5)},
    )


def manifest(key: str, digest: str, *, step: str = "clean", **sizes: int) -> Manifest:
    """The manifest of an output with Parquet files of these sizes."""
    files = [OutputFile(name=f"{name}.parquet", rows=1, bytes=of, sha256="0") for name, of in sizes.items()]
    return Manifest(
        step=step,
        cycle="flights",
        interval=month(3),
        key=key,
        files=tuple(files),
        digest=digest,
        counts={},
        metrics={},
    )


def key_record(**inputs: str) -> KeyRecord:
    """The record of a key of March."""
    return KeyRecord(
        step="collect",
        cycle="flights",
        interval=month(3),
        code="c",
        inputs=inputs,
        parameters={},
        environment="e",
        threads=2,
    )


def quality(cutoff: datetime, *, judged: int = 20_000, is_worse: bool = False) -> dict[str, Any]:
    """One entry of `quality`."""
    value = 0.6 if is_worse else 0.7
    return {
        "cutoff": cutoff.isoformat(),
        "metric": "roc_auc",
        "judged": judged,
        "coverage": 1.0,
        "value": value,
        "low": value - 0.01,
        "high": value + 0.01,
        "reference": {"value": 0.7, "low": 0.69, "high": 0.71},
        "is_worse": is_worse,
    }


def evidence(
    window: Interval,
    *,
    alarm: bool = False,
    data_end: datetime | None = None,
    broken: bool = False,
    judged: int | None = 20_000,
) -> dict[str, Any]:
    """One `evidence.json`; the champion's data end with January unless told otherwise."""
    end = data_end or datetime(2013, 2, 1, tzinfo=UTC)
    fault = {"feature": "temp", "check": "missing_column_check", "description": "the column is missing"}
    return {
        "version": 1,
        "window": window.iso,
        "rows": 20_000,
        "champion": {
            "version": f"arn:flights/{end:%Y-%m-%d}",
            "data_end": end.isoformat(),
            "evaluation_uri": "s3://b/e/",
        },
        "broken": [fault] if broken else [],
        "features": [],
        "separability": None,
        "predictions": None,
        "quality": [] if judged is None else [quality(window.end, judged=judged)],
        "estimate": None,
        "bias": [],
        "slices": [],
        "alarm": {
            "is_alarm": alarm and not broken,
            "reasons": ["temp has drifted"] if alarm else [],
            "held_back": "broken upstream: temp (missing_column_check)" if broken else None,
        },
    }
