"""Documents by hand, as docs/reference/documents.md describes them."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime
from typing import Any, TypeVar

from include.core.documents.card import CardInformation, ModelCard
from include.core.documents.manifest import KeyRecord, Manifest, OutputFile, files_digest
from include.core.documents.model import Bounds, Evaluation, MeasuredMetric, Verdict
from include.core.documents.monitoring import (
    Alarm,
    Evidence,
    Fault,
    MaturedQuality,
    MonitoredChampion,
    WatchRecord,
    WindowQuality,
)
from include.core.documents.retraining import Emission, RetrainingDecision
from include.core.layout import Interval
from include.core.monitoring import Monitoring
from include.core.retraining.rule import Finding, Past, judge_retraining

BY = {"dag_id": "flights_score_and_monitor", "run_id": "one"}
#: what evaluate leaves for people
CARD = ModelCard(
    model_overview={"model_name": "probe"},
    intended_uses={},
    training_details={},
    evaluation_details=({"name": "holdout"},),
    business_details={},
    additional_information=CardInformation(
        caveats_and_recommendations="One month.", custom_details={"training key": "k"}
    ),
)

Value = TypeVar("Value")


def not_none(value: Value | None) -> Value:
    """What has to be there."""
    assert value is not None
    return value


def archive(name: str, content: bytes) -> bytes:
    """A tar.gz with one file."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return body.getvalue()


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


def evaluation(value: float, low: float, high: float) -> Evaluation:
    """An evaluation that says no more than how good the challenger was."""
    return Evaluation(
        rows=1000,
        models={"challenger": {"roc_auc": MeasuredMetric(value, low, high, 0.02)}},
        gain={},
        slices=(),
        calibration=(),
        calibrations={},
        importance={},
    )


def defined(value: float | None) -> float:
    """A number that must not be undefined."""
    assert value is not None
    return value


def width(found: Bounds) -> float:
    """How much an interval leaves open."""
    return defined(found.high) - defined(found.low)


def manifest(key: str, digest: str = "", *, step: str = "clean", **sizes: int) -> Manifest:
    """The manifest of an output with Parquet files of these sizes; without a digest it has its own."""
    files = [OutputFile(name=f"{name}.parquet", rows=1, bytes=of, sha256="0") for name, of in sizes.items()]
    return Manifest(
        step=step,
        cycle="flights",
        interval=month(3),
        key=key,
        files=tuple(files),
        digest=digest or files_digest(files),
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


def quality(cutoff: datetime, *, judged: int = 20_000, is_worse: bool = False) -> WindowQuality:
    """The quality of a window as known at a time."""
    value = 0.6 if is_worse else 0.7
    return WindowQuality(
        cutoff=cutoff,
        metric="roc_auc",
        judged=judged,
        coverage=1.0,
        value=value,
        low=value - 0.01,
        high=value + 0.01,
        reference=Bounds(0.7, 0.69, 0.71),
        is_worse=is_worse,
    )


def matured(window: Interval, known: WindowQuality, monitor_key: str = "k") -> MaturedQuality:
    """The quality of an earlier window, as a later one finds it."""
    return MaturedQuality(**vars(known), window=window, monitor_key=monitor_key)


def evidence(
    window: Interval,
    *,
    alarm: bool = False,
    data_end: datetime | None = None,
    broken: bool = False,
    judged: int | None = 20_000,
) -> Evidence:
    """One `evidence.json`; the champion's data end with January unless told otherwise."""
    end = data_end or datetime(2013, 2, 1, tzinfo=UTC)
    fault = Fault(feature="temp", check="missing_column_check", description="the column is missing")
    return Evidence(
        version=1,
        window=window,
        rows=20_000,
        champion=MonitoredChampion(
            version=f"arn:flights/{end:%Y-%m-%d}", data_end=end, evaluation_uri="s3://b/evaluate/"
        ),
        broken=(fault,) if broken else (),
        features=(),
        separability=None,
        predictions=None,
        quality=() if judged is None else (quality(window.end, judged=judged),),
        alarm=Alarm(
            is_alarm=alarm and not broken,
            reasons=("temp has drifted",) if alarm else (),
            held_back="broken upstream: temp (missing_column_check)" if broken else None,
        ),
    )


def watch_record(found: Evidence, key: str = "k", *late: MaturedQuality, second: int = 0) -> WatchRecord:
    """The record of what was found in a window."""
    at = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
    return WatchRecord(key=key, monitor_uri="s3://b/", evidence=found, matured=late, at=at, by=BY)


def decision(found: Evidence, run_id: str = "one", second: int = 0) -> RetrainingDecision:
    """The decision about a window that is the only one, by a rule that one alarm is enough for."""
    past = Past(last=(found.window,), train_interval=found.window, trainings=frozenset())
    judgement = judge_retraining(
        Monitoring(alarms=1, windows=1), {found.window: Finding.of(found, record="s3://b/watch.json")}, past
    )
    return RetrainingDecision(
        **vars(judgement),
        emission=Emission(is_emitted=False, why="Nothing is due."),
        at=datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC),
        by={**BY, "run_id": run_id},
    )


def step_result(step: str, uri: str = "s3://b/o/", **given: Any) -> dict[str, Any]:  # noqa: ANN401 - any fields
    """What a step hands on, as XCom holds it; a job's, or a training's, or that of register."""
    return {
        "cycle": "flights",
        "step": step,
        "interval": month(3).iso,
        "key": "k",
        "uri": uri,
        "job": "j",
        "reused": False,
        "seconds": 1.0,
        "digest": "d",
        "counts": {},
        "metrics": {},
        **given,
    }
