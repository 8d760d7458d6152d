"""Whatever data and models call themselves, every page shows it as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.core.documents.data import ConstraintViolation, FeatureDistribution
from include.core.documents.model import (
    Bounds,
    CalibrationBin,
    Evaluation,
    JudgedSlice,
    MeasuredMetric,
    PromotionRule,
    Verdict,
)
from include.core.documents.monitoring import Alarm, FacetBias, FacetValues, Fault, SliceScore
from include.core.documents.reports import (
    ComparedInterval,
    PromotionMark,
    Provenance,
    Replay,
    ReplayedDecision,
    ReplaySeconds,
    StepSeconds,
)
from include.core.layout import Interval
from include.ml.reports.evaluation import CardFacts, render_card, render_evaluation
from include.ml.reports.profile import TableSample, render_profile
from include.ml.reports.replays import render_replay
from include.ml.reports.window.page import render_window
from tests.ml.reports import windows as example
from tests.ml.reports.reader import Reader

ESTIMATE = Bounds(0.7, 0.6, 0.8)
MEASURED = MeasuredMetric(0.7, 0.6, 0.8, 0.05)
MONTH = Interval.parse("2013-01-01_2013-02-01")
PLAIN = "plain"


def evaluated(name: str) -> tuple[Verdict, Evaluation]:
    """A verdict and an evaluation in which every text is `name`."""
    rule = PromotionRule(
        minimum_gain=0.0,
        slice_floor=-0.1,
        slice_floors={},
        confidence=0.95,
        repetitions=10,
        seed=0,
        block_s=None,
    )
    judged = JudgedSlice(column=name, value=name, rows=5, gain=ESTIMATE, floor=-0.1, is_under_floor=False)
    verdict = Verdict(
        promote=True,
        reasons=(name,),
        metric=name,
        challenger=ESTIMATE,
        gain=ESTIMATE,
        baseline_gains={name: ESTIMATE},
        slices=(judged,),
        rule=rule,
    )
    evaluation = Evaluation(
        rows=5,
        models={name: {name: MEASURED}},
        gain={name: {name: ESTIMATE}},
        slices=({"column": name, "value": name, "rows": 5, name: 0.5},),
        calibration=(),
        calibrations={name: (CalibrationBin(rows=5, score=0.5, share=0.4),)},
        importance={name: 0.1},
    )
    return verdict, evaluation


def evaluation_page(name: str) -> str:
    """An evaluation."""
    return render_evaluation(name, *evaluated(name), {name: ([0.0, 1.0], [0.0, 1.0])})


def card_page(name: str) -> str:
    """A model card."""
    verdict, evaluation = evaluated(name)
    facts = CardFacts(
        cycle=name,
        purpose=name,
        intended_uses=name,
        limits=name,
        task=name,
        classes=[name, "other"],
        lineage={"data interval": name, name: name},
        hyperparameters={name: name},
        features=[name],
        training={name: None},
        verdict=verdict,
        evaluation=evaluation,
    )
    return render_card(facts)


def replay_page(name: str) -> str:
    """A replay; its metric is one of those there are."""
    models = dict.fromkeys(("champion", "frozen", "linear", "constant"), MEASURED)
    interval = ComparedInterval(
        interval=MONTH, prepared=name, champion=name, version=name, rows=5, models=models
    )
    decision = ReplayedDecision(interval=MONTH, version=name, promoted=True, reasons=(name,))
    seconds = ReplaySeconds(wall_s=1.0, steps=(StepSeconds(step=name, tasks=1, seconds=1.0),))
    decisions = (decision,)
    replay = Replay(metric="roc_auc", months=(interval,), frozen=name, decisions=decisions, seconds=seconds)
    return render_replay(name, replay)


def profile_page(name: str) -> str:
    """A profile of two tables."""
    frame = pd.DataFrame({name: [name, name, "other"], name + "2": [1.0, 2.0, None]})
    table = TableSample(name=name, rows=3, missing={name: 0, name + "2": 1}, sample=frame)
    return render_profile(name, [table, table])


def window_page(name: str) -> str:
    """A window."""
    bias = FacetBias(
        facet=FacetValues(column=name, values=(name,)), metric=name, value=None, low=None, high=None
    )
    own = example.evidence(
        2,
        [example.feature(name, 0.5, 0.2)],
        slices=(SliceScore(column=name, value=name, rows=5, metric=name, score=None),),
        bias=(bias,),
        broken=(Fault(feature=name, check=name, description=name),),
        champion=replace(example.CHAMPION, version=name, evaluation_uri=name),
        quality=(replace(example.quality(2), metric=name),),
        alarm=Alarm(is_alarm=True, reasons=(name,), held_back=name),
    )
    decision = replace(
        example.decision(due=False),
        reasons=(name,),
        against=(name,),
        evidence={name: example.finding(name)},
    )
    given = example.report_input(
        [example.evidence(1), own],
        cycle=name,
        decision=decision,
        provenance=(Provenance(what=name, uri=f"s3://b/{name}.json", digest=name),),
        promotions=(PromotionMark(number=1, version=name, data_end=example.START),),
    )
    spread = FeatureDistribution(
        name=name, kind="text", values=(name, "UA"), baseline=(0.4, 0.6), current=(0.9, 0.1)
    )
    violation = ConstraintViolation(name, name, name)
    return render_window(example.report(given, own, [spread], violations=[violation]))


PAGES = [evaluation_page, card_page, replay_page, profile_page, window_page]
HOSTILE = [
    '"><script>alert(1)</script><b onclick=x>&',
    "</style></title></svg><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "' onmouseover='alert(1)",
    "javascript:alert(1)//<!--",
]


def shape_of(page: str) -> list[tuple[str, list[str]]]:
    """The elements of a page with the names of their attributes."""
    return [(tag, sorted(attributes)) for tag, attributes in Reader(page).elements]


@pytest.mark.parametrize("render", PAGES)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_adds_no_element_and_no_attribute(render: Callable[[str], str], name: str) -> None:
    """The page has the elements that it has for a plain name, and shows the name as it is."""
    page = render(name)
    assert shape_of(page) == shape_of(render(PLAIN))
    assert " ".join(name.split()) in Reader(page).text


@pytest.mark.parametrize("render", PAGES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(alphabet=st.sampled_from("<>&\"'/=;{}%#!-\\ ab\n"), min_size=1, max_size=24).map(
        "x{}".format
    )
)
def test_no_name_of_marks_changes_a_page(render: Callable[[str], str], name: str) -> None:
    """Any run of the marks that mean something in HTML, CSS or a template stays text."""
    assert shape_of(render(name)) == shape_of(render(PLAIN))
