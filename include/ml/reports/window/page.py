"""The report of one window as one HTML page: what the template shows, from evidence and the report input."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from include.core.documents.data import ConstraintViolation, Distribution, Distributions
from include.core.documents.monitoring import Evidence, PredictionDrift
from include.core.documents.reports import Coverage, DecisionSummary, ReportInput
from include.ml.reports import pages, phrases
from include.ml.reports.distributions import draw_comparison
from include.ml.reports.window import features, findings, quality
from include.ml.reports.window.findings import Window
from include.ml.reports.window.quality import VersionOf

Row = dict[str, object]

HIDDEN = "The column is private: what it holds is not shown."
#: features of the classifier that the page names
SEPARATING = 8
#: what Clarify's abbreviations stand for
BIAS = {
    "CI": "class imbalance",
    "DPL": "difference in proportions of labels",
    "KL": "Kullback-Leibler divergence of labels",
    "JS": "Jensen-Shannon divergence of labels",
    "LP": "Lp-norm of labels",
    "TVD": "total variation distance of labels",
    "KS": "Kolmogorov-Smirnov distance of labels",
    "DPPL": "difference in positive proportions of predicted labels",
    "DI": "disparate impact",
    "DCA": "difference in conditional acceptance",
    "DCR": "difference in conditional rejection",
    "SD": "specificity difference",
    "RD": "recall difference",
    "DAR": "difference in acceptance rates",
    "DRR": "difference in rejection rates",
    "AD": "accuracy difference",
    "TE": "treatment equality",
}


@dataclass(frozen=True, kw_only=True)
class WindowReport:
    """What a page is made from."""

    report_input: ReportInput
    evidence: Evidence
    distributions: Distributions
    violations: Sequence[ConstraintViolation]
    #: "distance" that counts as drift and "matured_share" of labels that counts as known, 0 to 1
    limits: Mapping[str, float]
    #: the short name of a version, given its ARN
    version_of: VersionOf
    #: the address of a file relative to the page, given its URI; None for what has none
    address_of: Callable[[str], str | None]
    #: columns whose values are not shown
    private: frozenset[str] = field(default=frozenset())


def render_window(report: WindowReport) -> str:
    """Return the page: words first, then what moved, how good the model is, and what was decided."""
    given, private = report.report_input, report.private
    decision = redact_decision(given.decision, private)
    evidence = redact_evidence(findings.as_of(report.evidence, given.window.end), private)
    windows: list[Window] = [*given.windows[:-1], evidence]
    return pages.render_page(
        "window.html.j2",
        title=f"{given.cycle}: {phrases.window(given.window.start, given.window.end)}",
        limits=report.limits,
        **_summary(evidence, decision, windows, report.version_of),
        **_decision(decision),
        **_movements(report, evidence, windows),
        quality_words=findings.quality_words(evidence),
        quality_chart=quality.draw_quality(windows, report.limits["matured_share"], report.version_of),
        quality_rows=[quality.quality_row(window, report.version_of) for window in windows],
        coverage=_coverage(given.coverage) if given.coverage else None,
        checks=_checks(evidence, redact_violations(report.violations, private)),
        champion=evidence.champion.version,
        provenance=[{**vars(link), "address": report.address_of(link.uri)} for link in given.provenance],
        promotions=[
            {
                "entry": promotion.number,
                "version": report.version_of(promotion.version),
                "data up to": phrases.moment(promotion.data_end),
            }
            for promotion in given.promotions
        ],
    )


def redact_evidence(evidence: Evidence, private: Collection[str]) -> Evidence:
    """Return evidence without values of private columns; that one moved, and how far, is no value."""
    return replace(
        evidence,
        broken=tuple(
            replace(fault, description=HIDDEN) if fault.feature in private else fault
            for fault in evidence.broken
        ),
        bias=tuple(measured for measured in evidence.bias if measured.facet.column not in private),
        slices=tuple(judged for judged in evidence.slices if judged.column not in private),
    )


def redact_violations(
    violations: Sequence[ConstraintViolation], private: Collection[str]
) -> list[ConstraintViolation]:
    """Return violations whose descriptions quote no private column."""
    return [
        replace(violation, description=HIDDEN) if violation.feature_name in private else violation
        for violation in violations
    ]


def redact_decision(decision: DecisionSummary, private: Collection[str]) -> DecisionSummary:
    """Return a decision whose texts quote no private column; they name a fault as `column: description`."""

    def redacted(text: str) -> str:
        return HIDDEN if any(f"{name}: " in text for name in private) else text

    return replace(
        decision,
        reasons=tuple(map(redacted, decision.reasons)),
        against=tuple(map(redacted, decision.against)),
        evidence={
            name: replace(finding, why=redacted(finding.why)) for name, finding in decision.evidence.items()
        },
    )


def _summary(
    evidence: Evidence, decision: DecisionSummary, windows: Sequence[Window], version_of: VersionOf
) -> dict[str, Any]:
    """Return the window in one word, in sentences and in four numbers."""
    champion = evidence.champion
    return {
        "status": findings.status_of(evidence),
        "about": f"{phrases.count(evidence.rows, 'row')} against {version_of(champion.version)}, "
        f"which was trained on data up to {phrases.moment(champion.data_end)}",
        "sentences": findings.summarize_window(evidence, decision),
        "tiles": _tiles(evidence, windows[-2] if len(windows) > 1 else None),
    }


def _tiles(evidence: Evidence, before: Window | None) -> list[dict[str, str | None]]:
    """Return four numbers, each beside that of the window before."""
    numbers: dict[str, Callable[[Window], str]] = {
        "features moved": lambda w: f"{len(findings.moved_features(w))} / {len(w.features)}",
        "of the importance": lambda w: phrases.percent(
            findings.share_of(findings.moved_features(w), w.features)
        ),
        "all together (AUC)": lambda w: phrases.metric(w.separability.value if w.separability else None),
        _metric(evidence): _metric_value,
    }
    return [
        {"name": name, "now": number(evidence), "before": number(before) if before else None}
        for name, number in numbers.items()
    ]


def _metric(window: Window) -> str:
    measured = findings.measured_or_estimated(window)
    is_estimate = measured is not None and measured is window.estimate
    return f"{measured.metric if measured else 'quality'}{', an estimate' if is_estimate else ''}"


def _metric_value(window: Window) -> str:
    measured = findings.measured_or_estimated(window)
    return phrases.metric(measured.value if measured else None)


def _decision(decision: DecisionSummary) -> dict[str, Any]:
    """Return what was decided, the rule, and what it saw in every window."""
    alarms, emission = decision.alarms, decision.emission
    asked = "It was asked for" if emission.is_emitted else "Nothing was asked for"
    return {
        "decision": decision,
        "alarm_dots": [finding.is_alarm for _, finding in sorted(decision.evidence.items())],
        "alarm_words": f"{alarms.alarmed} of {phrases.count(alarms.watched, 'window')} alarmed; "
        f"it takes {alarms.needed} of {alarms.of}",
        "asked": f"{asked}: {emission.why}",
        "rule_rows": _rule_rows(decision),
        "seen_rows": [
            {
                "window": name.replace("_", " to "),
                "alarm": "yes" if finding.is_alarm else "no",
                "why": finding.why,
            }
            for name, finding in decision.evidence.items()
        ],
    }


def _rule_rows(decision: DecisionSummary) -> list[Row]:
    rows: list[Row] = [
        {
            "rule": name.removesuffix("_s").replace("_", " "),
            "": phrases.age(value) if name.endswith("_s") else phrases.number(value),
        }
        for name, value in sorted(vars(decision.rule).items())
    ]
    facts = {
        "labels new since the champion": decision.new_labels,
        "trainings in the period": decision.trainings_in_period,
    }
    return rows + [{"rule": name, "": phrases.number(value)} for name, value in facts.items()]


def _movements(report: WindowReport, evidence: Evidence, windows: Sequence[Window]) -> dict[str, Any]:
    """Return the features, the predictions, and all features together."""
    spreads = {spread.name: spread for spread in report.distributions.features}
    weights = evidence.separability.features if evidence.separability else {}
    separating = sorted(weights.items(), key=lambda pair: -pair[1])[:SEPARATING]
    limit = report.limits["distance"]
    return {
        "cards": features.feature_cards(evidence, spreads, report.private, limit),
        "predictions": _predictions(evidence.predictions, report.distributions.predictions),
        "separability": findings.separability_words(evidence),
        "separating": [{"feature": name, "share": share} for name, share in separating],
        "strip": features.build_strip(windows, limit),
    }


def _predictions(moved: PredictionDrift | None, spread: Distribution | None) -> dict[str, Any] | None:
    if not moved or not spread:
        return None
    return {
        "is_moved": moved.is_drifted,
        "distance": moved.distance,
        "chance": phrases.chance(moved.p_value),
        "drawing": draw_comparison(spread, "Predictions"),
        "numbers": features.tabulate(spread),
    }


def _coverage(coverage: Coverage) -> dict[str, Any]:
    names = ("labelled", "late", "corrected", "duplicate", "unknown_events")
    numbers = {name: getattr(coverage, name) for name in names}
    counts = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in numbers.items() if number)
    return {
        "words": f"Of {phrases.count(coverage.events, 'event')}: {counts or 'no label'}.",
        "drawing": quality.draw_coverage(coverage.by_age) if coverage.by_age else None,
    }


def _checks(evidence: Evidence, violations: Sequence[ConstraintViolation]) -> dict[str, list[Row]]:
    """Return slices, bias and violations as rows of tables."""
    bias: list[Row] = [
        {
            "group": f"{measured.facet.column} in {', '.join(measured.facet.values)}",
            "metric": measured.metric,
            "": BIAS.get(measured.metric, ""),
            "value [95 % interval]": phrases.interval(measured),
        }
        for measured in evidence.bias
    ]
    violated: list[Row] = [
        {
            "column": violation.feature_name,
            "check": violation.constraint_check_type.removesuffix("_check").replace("_", " "),
            "what": violation.description,
        }
        for violation in violations
    ]
    return {
        "Slices": [vars(judged) for judged in evidence.slices],
        "Bias, by Clarify's formulas": bias,
        "Violated constraints": violated,
    }
