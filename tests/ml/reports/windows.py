"""Windows as monitor and decide tell of them, as large and as strange as a test wants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2013, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
VERSION = "arn:aws:sagemaker:us-east-1:000000000000:model-package/flights/1"


def window(number: int = 0) -> list[str]:
    """A day; later ones have larger numbers."""
    return [(START + DAY * n).isoformat() for n in (number, number + 1)]


def feature(name: str, distance: float | None = 0.02, importance: float | None = 0.01) -> dict[str, Any]:
    """A feature, which has drifted from 0.1 on."""
    return {
        "name": name,
        "test": "ks",
        "distance": distance,
        "p_value": 1e-12,
        "importance": importance,
        "is_drifted": distance is not None and distance >= 0.1,
    }


def quality(number: int = 0, value: float | None = 0.7, coverage: float = 0.98) -> dict[str, Any]:
    """What is known of a window's quality at its end."""
    bounds = {"low": None, "high": None} if value is None else {"low": value - 0.01, "high": value + 0.01}
    return {
        "cutoff": window(number)[1],
        "metric": "roc_auc",
        "judged": 980,
        "coverage": coverage,
        "value": value,
        **bounds,
        "reference": {"value": 0.72, "low": 0.7, "high": 0.74},
        "is_worse": False,
    }


def evidence(number: int = 0, features: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of it
    """evidence.json of a window."""
    found = {
        "version": 1,
        "window": window(number),
        "rows": 1000,
        "champion": {"version": VERSION, "data_end": START.isoformat(), "evaluation_uri": "s3://b/e/"},
        "broken": [],
        "features": features if features is not None else [feature("temp", 0.3, 0.24), feature("wind")],
        "separability": {
            "value": 0.61,
            "low": 0.6,
            "high": 0.62,
            "limit": 0.75,
            "is_drifted": False,
            "features": {"temp": 0.3},
        },
        "predictions": {"test": "ks", "distance": 0.05, "p_value": 0.1, "is_drifted": False},
        "quality": [quality(number)],
        "estimate": {
            "method": "confidence",
            "metric": "roc_auc",
            "value": 0.69,
            "calibration_error": 0.012,
            "accuracy": 0.8,
        },
        "bias": [],
        "slices": [],
        "alarm": {"is_alarm": True, "reasons": ["temp has drifted"], "held_back": None},
    }
    return {**found, **changes}


def entry(name: str) -> dict[str, Any]:
    """A number's distribution in twenty buckets, with what lies outside of them."""
    inside = [0.05] * 20
    return {
        "name": name,
        "kind": "number",
        "edges": [n / 7 for n in range(21)],
        "baseline": [0.0, *inside, 0.0],
        "current": [0.1, *(share * 0.8 for share in inside), 0.1],
    }


def decision(*, due: bool = True) -> dict[str, Any]:
    """A decision record."""
    return {
        "window": window(),
        "due": due,
        "reasons": ["2013-07-01_2013-07-02: temp has drifted."],
        "against": [] if due else ["The cool-down lasts."],
        "rule": {"alarms": 2, "windows": 3, "cool_down_s": 86400.0},
        "alarms": {"watched": 3, "alarmed": 2, "needed": 2, "of": 3, "missing": [], "held_back": []},
        "champion": {"version": VERSION, "data_end": START.isoformat()},
        "new_labels": 1200,
        "trainings_in_period": 1,
        "train_interval": window(),
        "evidence": {"2013-07-01_2013-07-02": {"is_alarm": True, "why": "temp has drifted", "quality": None}},
        "emission": {"is_emitted": due, "why": "the newest window watched so far"},
    }


def report_input(windows: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of it
    """A report input of windows, the oldest first."""
    content = {
        "version": 1,
        "cycle": "flights",
        "window": windows[-1]["window"],
        "windows": windows,
        "decision": decision(),
        "promotions": [{"number": 2, "version": VERSION, "data_end": START.isoformat()}],
        "coverage": {"events": 1000, "labelled": 980, "late": 3, "by_age": [{"age_s": 3600, "share": 0.5}]},
        "provenance": [
            {"what": "evidence", "uri": "s3://b/flights/monitor/w/k/evidence.json", "digest": "d"}
        ],
    }
    return {**content, **changes}
