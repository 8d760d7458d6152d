"""The report of a window: what it says first, what it shows, and what it must not."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from include.core.documents.data import ConstraintViolation, FeatureDistribution
from include.core.documents.monitoring import (
    Alarm,
    Evidence,
    FacetBias,
    FacetValues,
    Fault,
    Separability,
    SliceScore,
)
from include.core.documents.reports import PromotionMark, Provenance
from include.core.documents.retraining import Emission
from include.ml.reports import phrases
from include.ml.reports.window import findings
from include.ml.reports.window.page import render_window
from tests.ml.reports import windows as example
from tests.ml.reports.reader import Reader


def made(
    evidence: Evidence | None = None,
    *,
    spreads: list[FeatureDistribution] | None = None,
    private: frozenset[str] = frozenset(),
    violations: list[ConstraintViolation] | None = None,
    **changes: Any,  # noqa: ANN401 - any part of the report input
) -> str:
    """The page of a window after two others."""
    own = evidence if evidence is not None else example.evidence(2)
    spreads = [example.spread("temp")] if spreads is None else spreads
    given = example.report_input([example.evidence(0), example.evidence(1), own], **changes)
    return render_window(example.report(given, own, spreads, violations=violations or [], private=private))


def test_the_headline_is_the_reason_of_the_alarm() -> None:
    """Where a classifier or the labels raised it, the features that moved come after."""
    reason = "a classifier tells the window from the baseline: area 0.99, limit 0.75"
    apart = Separability(value=0.99, low=0.98, high=1.0, limit=0.75, is_drifted=True, features={})
    alarm = Alarm(is_alarm=True, reasons=(reason,), held_back=None)
    said = findings.summarize_window(example.evidence(separability=apart, alarm=alarm), example.decision())
    assert said[0] == f"The window alarms: {reason}."
    assert said[1].startswith("1 of 2 features has moved")


def test_the_summary_tells_what_moved_what_it_weighs_and_what_was_decided() -> None:
    """The first sentences are the whole story; an alarm's reason stands above them."""
    features = [example.feature(f"f{n}", 0.3, 0.08) for n in range(3)]
    features += [example.feature(f"g{n}", 0.02, 0.76 / 28) for n in range(28)]
    said = findings.summarize_window(example.evidence(features=features), example.decision())
    [reason] = example.evidence().alarm.reasons
    assert said[0] == f"The window alarms: {reason}."
    assert said[1] == (
        "3 of 31 features have moved (f0, f1, f2): together they carry 24 % of the model's importance."
    )
    [quality] = example.evidence().quality
    known = f"980 labels known by {phrases.moment(quality.cutoff)} (98 % of the window)"
    assert said[2].startswith(f"roc_auc is 0.700 [0.690, 0.710] on {known}")
    assert said[3] == "2 of the last 3 windows alarmed: retraining was asked for."


def test_a_due_retraining_that_was_not_asked_for_says_why() -> None:
    """A backfilled window is no silent one."""
    emission = Emission(is_emitted=False, why="this is a backfill")
    decision = replace(example.decision(), emission=emission)
    assert "was not asked for now. This is a backfill." in findings.decision_words(decision)


def test_a_decision_against_retraining_names_what_stood_against_it() -> None:
    """Enough alarms are not all it takes."""
    assert findings.decision_words(example.decision(due=False)).endswith("The cool-down lasts.")


@pytest.mark.parametrize(
    ("broken", "why", "word"),
    [
        (["temp"], "broken upstream: temp (missing_column_check)", "Broken upstream"),
        ([], "40 rows are too few to judge by; the rule asks for 500", "Not judged"),
    ],
)
def test_a_window_that_was_held_back_says_so_first(broken: list[str], why: str, word: str) -> None:
    """A fault is to be repaired, and too few rows tell nothing; the page says so before anything else."""
    faults = tuple(Fault(feature=name, check="c", description="It is gone.") for name in broken)
    alarm = Alarm(is_alarm=False, reasons=("temp has drifted",), held_back=why)
    own = example.evidence(2, broken=faults, alarm=alarm)
    assert why[1:] in findings.summarize_window(own, example.decision())[0]
    assert findings.status_of(own).name == word
    assert word in Reader(made(own)).text


def test_a_harmless_violation_does_not_hold_the_window_back() -> None:
    """A column more than the baseline has is no fault that matters."""
    own = example.evidence(2, broken=(Fault(feature="new", check="extra_column_check"),))
    assert findings.status_of(own).name == "Alarm"


def test_forty_features_and_twenty_four_windows_stay_under_300_kb() -> None:
    """The largest page that is promised."""
    names = [f"feature_with_a_long_name_{n}" for n in range(40)]
    all_features = [example.feature(name, 0.5, 0.025) for name in names]
    days = [example.evidence(n, all_features) for n in range(24)]
    violations = [ConstraintViolation(name, "baseline_drift_check", "x" * 99) for name in names]
    spreads = [example.spread(name) for name in names]
    report = example.report(example.report_input(days), days[-1], spreads, violations=violations)
    text = render_window(report)
    assert text.count("<svg") >= 42
    assert len(text.encode()) < 300_000


def test_nothing_is_loaded_and_nothing_runs() -> None:
    """No script, no picture, no address of another place, and a policy that forbids them."""
    found = Reader(made())
    assert found.tags().isdisjoint({"script", "img", "link", "iframe", "object", "form"})
    links = [attrs["href"] for _, attrs in found.elements if "href" in attrs]
    assert links == ["../../../../flights/monitor/w/k/evidence.json"]
    assert not any(name.startswith("on") or name == "src" for _, attrs in found.elements for name in attrs)
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in made()
    assert "url(" not in made()


def bias_of(column: str, value: str, metric: str) -> FacetBias:
    """A metric of bias without an interval."""
    facet = FacetValues(column=column, values=(value,))
    return FacetBias(facet=facet, metric=metric, value=1.0, low=None, high=None)


HOSTILE = '"><script>alert(1)</script><b onclick=x>&'


def test_hostile_names_and_values_stay_text() -> None:
    """Whatever the data calls itself is shown as it is, and never becomes an element."""
    texts = FeatureDistribution(
        name=HOSTILE, kind="text", values=(HOSTILE, "UA"), baseline=(0.4, 0.6), current=(0.9, 0.1)
    )
    judgement = example.quality(2)
    own = example.evidence(
        2,
        [example.feature(HOSTILE, 0.5, 0.2)],
        slices=(SliceScore(column=HOSTILE, value=HOSTILE, rows=5, metric=HOSTILE, score=None),),
        bias=(bias_of(HOSTILE, HOSTILE, HOSTILE),),
        broken=(Fault(feature=HOSTILE, check=HOSTILE, description=HOSTILE),),
        champion=replace(example.CHAMPION, version=HOSTILE, evaluation_uri=HOSTILE),
        quality=(replace(judgement, metric=HOSTILE),),
        estimate=example.estimate(0.5, HOSTILE),
    )
    decision = replace(
        example.decision(due=False),
        reasons=(HOSTILE,),
        against=(HOSTILE,),
        evidence={HOSTILE: example.finding(HOSTILE)},
        emission=Emission(is_emitted=False, why=HOSTILE),
    )
    text = made(
        own,
        spreads=[texts],
        violations=[ConstraintViolation(HOSTILE, HOSTILE, HOSTILE)],
        decision=decision,
        cycle=HOSTILE,
        provenance=(Provenance(what=HOSTILE, uri=f"s3://b/{HOSTILE}", digest=HOSTILE),),
        promotions=(PromotionMark(number=1, version=HOSTILE, data_end=example.START),),
    )
    found = Reader(text)
    assert "script" not in found.tags()
    assert not any("onclick" in attrs for _, attrs in found.elements)
    assert found.text.count(HOSTILE) >= 20


def test_features_are_sorted_by_importance_times_distance() -> None:
    """A far move of what does not matter stands behind a near one of what does."""
    features = [
        example.feature("far", 0.9, 0.001),
        example.feature("near", 0.2, 0.5),
        example.feature("unknown", 0.5, None),
    ]
    text = made(example.evidence(2, features), spreads=[])
    places = [text.index(f"<h3>{name}</h3>") for name in ("near", "far", "unknown")]
    assert places == sorted(places)


def test_every_drawing_has_a_title_and_words_for_its_numbers() -> None:
    """Who sees no picture hears what is in it."""
    drawings = re.findall(r"<svg.*?</svg>", made(), flags=re.DOTALL)
    assert len(drawings) >= 4
    for drawn in drawings:
        assert re.search(r'role="img"><title>[^<]+</title><desc>[^<]+\d[^<]*</desc>', drawn)


def test_private_columns_show_that_they_moved_and_nothing_of_what_they_hold() -> None:
    """Not in a drawing, a table, a slice, a group, a violation or a reason."""
    secret = FeatureDistribution(
        name="tailnum", kind="text", values=("N12345",), baseline=(0.5,), current=(1.0,)
    )
    own = example.evidence(
        2,
        [example.feature("tailnum", 0.5, 0.2)],
        slices=(SliceScore(column="tailnum", value="N12345", rows=5, metric="roc_auc", score=0.7),),
        bias=(bias_of("tailnum", "N12345", "DI"),),
        broken=(Fault(feature="tailnum", check="c", description="1 new value: N12345."),),
    )
    quoting = "The window is broken upstream: tailnum: 1 new value: N12345."
    decision = replace(
        example.decision(due=False),
        reasons=(quoting,),
        against=(quoting,),
        evidence={"w": example.finding("tailnum: 1 new value: N12345")},
    )
    violation = ConstraintViolation("tailnum", "categorical_values_check", "1 new value: N12345.")
    given: dict[str, Any] = {"spreads": [secret], "violations": [violation], "decision": decision}
    assert made(own, **given).count("N12345") >= 6
    hidden = made(own, **given, private=frozenset({"tailnum"}))
    assert "N12345" not in hidden
    assert "tailnum" in hidden


def test_an_estimate_is_called_one_and_drawn_hollow() -> None:
    """Before labels come nothing is shown as known."""
    own = example.evidence(2, quality=())
    text = made(own)
    assert "No label is known yet. By an estimate from the model's own scores" in Reader(text).text
    assert "roc_auc, an estimate" in text
    assert '<polygon points="' in text.split("Quality over time")[1]
    chart = re.search(r"<title>Quality over time.*?</svg>", text, re.DOTALL)
    assert chart is not None
    assert chart.group().count("<circle") == 2


def test_quality_on_few_labels_is_marked_as_young() -> None:
    """A solid mark is a promise that enough labels are known."""
    text = made(example.evidence(2, quality=(example.quality(2, coverage=0.4),)))
    assert len(re.findall(r'<circle [^>]*class="judged young"', text)) == 1


def test_quality_is_what_was_known_at_the_windows_end() -> None:
    """Labels that came later do not change what was decided by."""
    later = replace(example.quality(5, value=0.4), cutoff=example.window(9).end)
    own = example.evidence(2, quality=(later, example.quality(2)))
    assert "roc_auc is 0.700" in Reader(made(own)).text


@pytest.mark.parametrize(
    "changes",
    [
        {"features": ()},
        {"features": (example.feature("a", importance=None),)},
        {"quality": (), "estimate": None},
        {"quality": (example.quality(2, value=None),), "estimate": example.estimate(None)},
        {"separability": None, "predictions": None},
    ],
)
def test_what_is_undefined_is_told_as_such(changes: dict[str, Any]) -> None:
    """No number is made up, and no page is missing, where monitor could not tell."""
    found = Reader(made(example.evidence(2, **changes), coverage=None, promotions=()))
    assert "nan" not in found.text
    assert "Labels by age" not in found.text


def test_a_far_move_that_chance_may_have_made_is_not_called_drift() -> None:
    """Weather of one month is few draws: distance alone moves nothing."""
    far = replace(example.feature("pressure", 0.39, 0.2), is_drifted=False, p_value=0.2)
    text = made(example.evidence(2, [far, example.feature("wind")]))
    assert "None of 2 features has moved." in text
    assert text.count('<span class="badge">may be chance</span>') == 1
    assert text.count('<span class="badge">stayed</span>') == 1


def test_a_text_of_many_values_is_told_by_those_that_changed_most() -> None:
    """Thousands of categories would fill the page."""
    n = 3000
    values = tuple(f"N{number}" for number in range(n))
    before, now = (1 / n,) * n, (0.5, *(0.5 / (n - 1),) * (n - 1))
    spread = FeatureDistribution(name="temp", kind="text", values=values, baseline=before, current=now)
    text = made(spreads=[spread])
    assert len(text.encode()) < 60_000
    assert "<td>N0<td>0.03 %<td>50 %" in text
    assert "and 2,976 more, which changed less" in text


def test_a_number_of_two_values_is_drawn_as_two_bars() -> None:
    """Spread over an axis, zeros and ones would look like neither."""
    spread = FeatureDistribution(
        name="temp",
        kind="number",
        edges=(0.0, 1.0, 1.0),
        baseline=(0.0, 0.9, 0.1, 0.0),
        current=(0.0, 0.2, 0.8, 0.0),
    )
    drawn = re.search(r"<title>temp: baseline and current.*?</svg>", made(spreads=[spread]), re.DOTALL)
    assert drawn is not None
    assert "0 to &lt;1 90% → 20%; 1 10% → 80%" in drawn.group()
