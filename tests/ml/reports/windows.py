"""Windows as monitor and decide tell of them, as large and as strange as a test wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from include.core.documents.codec import narrow
from include.core.documents.data import Distribution, Distributions, FeatureDistribution
from include.core.documents.model import Bounds
from include.core.documents.monitoring import (
    Alarm,
    Evidence,
    FeatureDrift,
    MonitoredChampion,
    PredictionDrift,
    QualityEstimate,
    Separability,
    WindowQuality,
)
from include.core.documents.reports import (
    AgeShare,
    AnswerCounts,
    Coverage,
    DecisionSummary,
    PromotionMark,
    Provenance,
    ReportInput,
    WindowSummary,
)
from include.core.documents.retraining import AlarmCount, Emission, RetrainingRule, WindowFinding
from include.core.layout import Interval, version_of
from include.core.places import address_from_output
from include.ml.reports.window.page import WindowReport

START = datetime(2013, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
VERSION = "arn:aws:sagemaker:us-east-1:000000000000:model-package/flights/1"
CHAMPION = MonitoredChampion(version=VERSION, data_end=START, evaluation_uri="s3://b/e/")
LIMITS = {"distance": 0.1, "matured_share": 0.9}


def window(number: int = 0) -> Interval:
    """A day; later ones have larger numbers."""
    return Interval(START + DAY * number, START + DAY * (number + 1))


def feature(name: str, distance: float = 0.02, importance: float | None = 0.01) -> FeatureDrift:
    """A feature, which has drifted from 0.1 on."""
    return FeatureDrift(
        name=name,
        test="ks",
        distance=distance,
        p_value=1e-12,
        importance=importance,
        is_drifted=distance >= 0.1,
    )


def quality(number: int = 0, value: float | None = 0.7, coverage: float = 0.98) -> WindowQuality:
    """What is known of a window's quality at its end."""
    return WindowQuality(
        cutoff=window(number).end,
        metric="roc_auc",
        judged=980,
        coverage=coverage,
        value=value,
        low=None if value is None else value - 0.01,
        high=None if value is None else value + 0.01,
        reference=Bounds(0.72, 0.7, 0.74),
        is_worse=False,
    )


def estimate(value: float | None = 0.69, metric: str = "roc_auc") -> QualityEstimate:
    """What the answers are worth by their scores."""
    return QualityEstimate(
        method="confidence",
        metric=metric,
        value=value,
        low=None,
        high=None,
        accuracy=0.8,
        positive_share=None,
        rows=1000,
        calibration_error=0.012,
        calibration_error_low=None,
        calibration_error_high=None,
    )


def evidence(number: int = 0, features: Sequence[FeatureDrift] | None = None, **changes: Any) -> Evidence:  # noqa: ANN401 - any part of it
    """evidence.json of a window."""
    found = Evidence(
        version=1,
        window=window(number),
        rows=1000,
        champion=CHAMPION,
        broken=(),
        features=(feature("temp", 0.3, 0.24), feature("wind")) if features is None else tuple(features),
        separability=Separability(
            value=0.61, low=0.6, high=0.62, limit=0.75, is_drifted=False, features={"temp": 0.3}
        ),
        predictions=PredictionDrift(test="ks", distance=0.05, p_value=0.1, is_drifted=False),
        quality=(quality(number),),
        estimate=estimate(),
        alarm=Alarm(is_alarm=True, reasons=("temp has drifted",), held_back=None),
    )
    return replace(found, **changes)


def spread(name: str) -> FeatureDistribution:
    """A number's distribution in twenty buckets, with what lies outside of them."""
    inside = [0.05] * 20
    return FeatureDistribution(
        name=name,
        kind="number",
        edges=tuple(n / 7 for n in range(21)),
        baseline=(0.0, *inside, 0.0),
        current=(0.1, *(share * 0.8 for share in inside), 0.1),
    )


def distributions(spreads: Sequence[FeatureDistribution]) -> Distributions:
    """Those of features; of the predictions a number's distribution."""
    return Distributions(features=tuple(spreads), predictions=narrow(Distribution, spread("score")))


def finding(why: str = "temp has drifted") -> WindowFinding:
    """What a window contributed to a decision."""
    return WindowFinding(record="s3://b/r.json", is_alarm=True, why=why, quality=None)


def decision(*, due: bool = True) -> DecisionSummary:
    """A decision record."""
    return DecisionSummary(
        window=window(),
        due=due,
        reasons=("2013-07-01_2013-07-02: temp has drifted.",),
        against=() if due else ("The cool-down lasts.",),
        rule=RetrainingRule(
            alarms=2,
            windows=3,
            minimum_new_labels=1000,
            budget=12,
            cool_down_s=86400.0,
            budget_period_s=86400.0 * 365,
        ),
        alarms=AlarmCount(watched=3, alarmed=2, needed=2, of=3, missing=(), held_back=()),
        champion=CHAMPION,
        new_labels=1200,
        trainings_in_period=1,
        train_interval=window(),
        evidence={"2013-07-01_2013-07-02": finding()},
        emission=Emission(is_emitted=due, why="the newest window watched so far"),
    )


def coverage() -> Coverage:
    """Labels of most events."""
    return Coverage(
        events=1000,
        labelled=980,
        late=3,
        corrected=0,
        by_age=(AgeShare(age_s=3600, share=0.5),),
        duplicate=0,
        unknown_events=0,
        answers=AnswerCounts(batch=1000, online=0, repeated=0, of_other_windows=0),
        malformed={},
    )


def report_input(windows: Sequence[Evidence], **changes: Any) -> ReportInput:  # noqa: ANN401 - any part of it
    """A report input of windows, the oldest first."""
    content = ReportInput(
        version=1,
        cycle="flights",
        window=windows[-1].window,
        windows=tuple(narrow(WindowSummary, each) for each in windows),
        decision=decision(),
        promotions=(PromotionMark(number=2, version=VERSION, data_end=START),),
        coverage=coverage(),
        provenance=(Provenance(what="evidence", uri="s3://b/flights/monitor/w/k/evidence.json", digest="d"),),
    )
    return replace(content, **changes)


def report(
    given: ReportInput,
    own: Evidence,
    spreads: Sequence[FeatureDistribution],
    **more: Any,  # noqa: ANN401 - violations and private columns
) -> WindowReport:
    """All that a page is made from."""
    return WindowReport(
        report_input=given,
        evidence=own,
        distributions=distributions(spreads),
        limits=LIMITS,
        version_of=version_of,
        address_of=address_from_output,
        **{"violations": [], **more},
    )
