"""The report of one window as one HTML page: what the template shows, from evidence and the report input."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.ml.reports import pages, phrases
from include.ml.reports.distributions import draw_distribution
from include.ml.reports.phrases import Content
from include.ml.reports.window import features, findings, quality

Row = dict[str, object]

HIDDEN = "The column is private: what it holds is not shown."
SLICE = ("column", "value", "rows", "metric", "score")
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

    #: the report input: the cycle, windows, decision, promotions, coverage, provenance
    report_input: Content
    #: the contents of evidence.json, distributions.json and constraint_violations.json of the window
    evidence: Content
    distributions: Content
    violations: Sequence[Content]
    #: "distance" that counts as drift and "matured_share" of labels that counts as known, 0 to 1
    limits: Mapping[str, float]
    #: columns whose values are not shown
    private: frozenset[str] = field(default=frozenset())


def render_window(report: WindowReport) -> str:
    """Return the page: words first, then what moved, how good the model is, and what was decided."""
    given, private = report.report_input, report.private
    decision = redact_decision(given["decision"], private)
    evidence = redact_evidence(findings.as_of(report.evidence, given["window"][1]), private)
    windows = [*given["windows"][:-1], evidence]
    return pages.render_page(
        "window.html.j2",
        title=f"{given['cycle']}: {phrases.window(given['window'])}",
        limits=report.limits,
        **_summary(evidence, decision, windows),
        **_decision(decision),
        **_movements(report, evidence, windows),
        **_quality(evidence, windows, report.limits["matured_share"], given["coverage"]),
        checks=_checks(evidence, redact_violations(report.violations, private)),
        champion=evidence["champion"]["version"],
        provenance=[_source(each) for each in given["provenance"]],
        promotions=[_promotion(each) for each in given["promotions"]],
    )


def redact_evidence(evidence: Content, private: Collection[str]) -> dict[str, Any]:
    """Return evidence without values of private columns; that such a column moved, and how far, is no value.

    Parameters
    ----------
    evidence
        The content of evidence.json.
    private
        Names of columns.
    """
    return {
        **evidence,
        "broken": [_redact(each, "feature", private) for each in evidence["broken"]],
        "bias": [each for each in evidence["bias"] if each["facet"]["column"] not in private],
        "slices": [each for each in evidence["slices"] if each["column"] not in private],
    }


def redact_violations(found: Sequence[Content], private: Collection[str]) -> list[dict[str, Any]]:
    """Return violations whose descriptions quote no private column."""
    return [_redact(each, "feature_name", private) for each in found]


def _redact(found: Content, name: str, private: Collection[str]) -> dict[str, Any]:
    return {**found, "description": HIDDEN} if found[name] in private else dict(found)


def redact_decision(decision: Content | None, private: Collection[str]) -> Content | None:
    """Return a decision whose texts quote no private column; they name a fault as `column: description`."""
    if decision is None or not private:
        return decision

    def redacted(text: str) -> str:
        return HIDDEN if any(f"{name}: " in text for name in private) else text

    return {
        **decision,
        "reasons": [redacted(text) for text in decision["reasons"]],
        "against": [redacted(text) for text in decision["against"]],
        "evidence": {n: {**each, "why": redacted(each["why"])} for n, each in decision["evidence"].items()},
    }


def _summary(evidence: Content, decision: Content | None, windows: Sequence[Content]) -> dict[str, Any]:
    """Return the window in one word, in sentences and in four numbers."""
    champion = evidence["champion"]
    return {
        "status": findings.status_of(evidence),
        "about": f"{phrases.count(evidence['rows'], 'row')} against {phrases.version(champion['version'])}, "
        f"which was trained on data up to {phrases.moment(champion['data_end'])}",
        "sentences": findings.summarize_window(evidence, decision),
        "tiles": _tiles(evidence, windows[-2] if len(windows) > 1 else None),
    }


def _tiles(evidence: Content, before: Content | None) -> list[dict[str, str | None]]:
    """Return four numbers, each beside that of the window before."""
    numbers = {
        "features moved": lambda e: f"{len(findings.moved_features(e))} / {len(e['features'])}",
        "of the importance": lambda e: phrases.percent(
            findings.share_of(findings.moved_features(e), e["features"])
        ),
        "all together (AUC)": lambda e: phrases.metric((e.get("separability") or {}).get("value")),
        _metric(evidence): _metric_value,
    }
    return [
        {"name": name, "now": number(evidence), "before": number(before) if before else None}
        for name, number in numbers.items()
    ]


def _metric(evidence: Content) -> str:
    found = findings.quality_of(evidence) or evidence.get("estimate") or {"metric": "quality"}
    is_estimate = findings.quality_of(evidence) is None and evidence.get("estimate")
    return f"{found['metric']}{', an estimate' if is_estimate else ''}"


def _metric_value(evidence: Content) -> str:
    found = findings.quality_of(evidence) or evidence.get("estimate") or {}
    return phrases.metric(found.get("value"))


def _decision(decision: Content | None) -> dict[str, Any]:
    """Return what was decided, the rule, and what it saw in every window."""
    if decision is None:
        return {"decision": None}
    alarms, emission = decision["alarms"], decision.get("emission") or {}
    asked = "It was asked for" if emission.get("is_emitted") else "Nothing was asked for"
    return {
        "decision": decision,
        "alarm_dots": [each["is_alarm"] for _, each in sorted(decision["evidence"].items())],
        "alarm_words": f"{alarms['alarmed']} of {phrases.count(alarms['watched'], 'window')} alarmed; "
        f"it takes {alarms['needed']} of {alarms['of']}",
        "asked": f"{asked}: {emission.get('why', 'no reason was recorded')}",
        "rule_rows": _rule_rows(decision),
        "seen_rows": [
            {
                "window": name.replace("_", " to "),
                "alarm": "yes" if each["is_alarm"] else "no",
                "why": each["why"],
            }
            for name, each in decision["evidence"].items()
        ],
    }


def _rule_rows(decision: Content) -> list[Row]:
    rows: list[Row] = [
        {"rule": name.removesuffix("_s").replace("_", " "), "": _setting(name, value)}
        for name, value in decision["rule"].items()
    ]
    facts = {"labels new since the champion": "new_labels", "trainings in the period": "trainings_in_period"}
    return rows + [
        {"rule": name, "": phrases.number(decision[key])} for name, key in facts.items() if key in decision
    ]


def _setting(name: str, value: Any) -> str:  # noqa: ANN401 - a rule's setting may be anything
    if name.endswith("_s"):
        return phrases.age(value)
    return phrases.number(value) if isinstance(value, (int, float)) else str(value)


def _movements(report: WindowReport, evidence: Content, windows: Sequence[Content]) -> dict[str, Any]:
    """Return the features, the predictions, and all features together."""
    entries = {each["name"]: each for each in report.distributions["features"]}
    weights = (evidence.get("separability") or {}).get("features") or {}
    separating = sorted(weights.items(), key=lambda pair: -pair[1])[:SEPARATING]
    limit = report.limits["distance"]
    return {
        "cards": features.feature_cards(evidence, entries, report.private, limit),
        "predictions": _predictions(evidence, report.distributions.get("predictions")),
        "separability": findings.separability_words(evidence),
        "separating": [{"feature": name, "share": share} for name, share in separating],
        "strip": features.build_strip(windows, limit),
    }


def _predictions(evidence: Content, entry: Content | None) -> dict[str, Any] | None:
    found = evidence.get("predictions")
    if not found or not entry:
        return None
    return {
        "is_moved": found["is_drifted"],
        "distance": found["distance"],
        "chance": phrases.chance(found.get("p_value")),
        "drawing": draw_distribution(entry, "Predictions: baseline and current"),
        "numbers": features.tabulate(entry),
    }


def _quality(
    evidence: Content, windows: Sequence[Content], share: float, coverage: Content | None
) -> dict[str, Any]:
    """Return the quality over time, and how many labels are known."""
    return {
        "quality_words": findings.quality_words(evidence),
        "quality_chart": quality.draw_quality(windows, share),
        "quality_rows": [quality.quality_row(each) for each in windows],
        "coverage": _coverage(coverage) if coverage else None,
    }


def _coverage(found: Content) -> dict[str, Any]:
    names = ("labelled", "late", "corrected", "duplicate", "unknown_events")
    counts = ", ".join(f"{found[name]:,} {name.replace('_', ' ')}" for name in names if found.get(name))
    by_age = found.get("by_age") or []
    return {
        "words": f"Of {phrases.count(found['events'], 'event')}: {counts or 'no label'}.",
        "drawing": quality.draw_coverage(by_age) if by_age else None,
    }


def _checks(evidence: Content, violations: Sequence[Content]) -> dict[str, list[Row]]:
    """Return slices, bias and violations as rows of tables."""
    bias: list[Row] = [
        {
            "group": f"{each['facet']['column']} in {', '.join(map(str, each['facet']['values']))}",
            "metric": each["metric"],
            "": BIAS.get(each["metric"], ""),
            "value [95 % interval]": phrases.interval(each),
        }
        for each in evidence["bias"]
    ]
    violated: list[Row] = [
        {
            "column": each["feature_name"],
            "check": each["constraint_check_type"].removesuffix("_check").replace("_", " "),
            "what": each["description"],
        }
        for each in violations
    ]
    return {
        "Slices": [{name: each[name] for name in SLICE} for each in evidence["slices"]],
        "Bias, by Clarify's formulas": bias,
        "Violated constraints": violated,
    }


def _source(found: Content) -> dict[str, str | None]:
    """Return where something on the page comes from; a file in S3 has an address that a bucket serves."""
    uri = found["uri"]
    is_file = uri.startswith("s3://") and not uri.endswith("/")
    address = phrases.relative_address(uri) if is_file else None
    return {"what": found["what"], "uri": uri, "address": address, "digest": found.get("digest")}


def _promotion(found: Content) -> Row:
    return {
        "entry": found["number"],
        "version": phrases.version(found["version"]),
        "data up to": phrases.moment(found["data_end"]),
    }
