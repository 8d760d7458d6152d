"""The rest of the report: quality, slices, bias, violations, the rule, and where it all comes from."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from include.ml.reports import evaluation
from include.ml.reports.window import findings, phrases, quality
from include.ml.reports.window.phrases import Content

SLICE = ("column", "value", "rows", "metric", "score")
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


def judged(evidence: Content, windows: Sequence[Content], share: float, coverage: Content | None) -> str:
    """Quality over time, and how many labels are known."""
    picture = quality.drawn(windows, share)
    text = escape(findings.quality_words(evidence))
    if not picture:
        return f"<h2>Quality</h2><p>{text}</p>"
    legend = (
        '<p class="legend"><span class="key dot"></span>by labels, with its interval '
        f'<span class="key dot young"></span>by fewer than {phrases.percent(share)} of the labels '
        '<span class="key diamond"></span>an estimate from the own scores of the model, with its calibration '
        'error <span class="key band"></span>what the evaluation of the champion gave</p>'
    )
    rows = [quality.row(each) for each in windows]
    table = f'<details><summary>Numbers</summary><div class="wide">{evaluation.table("Quality", rows)}</div>'
    return (
        f"<h2>Quality</h2><p>{text}</p>{legend}"
        f'<div class="card wide newest"><div class="chart">{picture}</div></div>{table}</details>'
        f"{covered(coverage)}"
    )


def covered(found: Content | None) -> str:
    """How many labels are known, by their age."""
    if not found:
        return ""
    names = ("labelled", "late", "corrected", "duplicate", "unknown_events")
    counts = ", ".join(f"{found[name]:,} {name.replace('_', ' ')}" for name in names if found.get(name))
    by_age = found.get("by_age") or []
    picture = f'<div class="small">{quality.coverage(by_age)}</div>' if by_age else ""
    said = f"Of {phrases.count(found['events'], 'event')}: {counts or 'no label'}."
    return f'<section class="card"><h3>Labels by age</h3><p>{said}</p>{picture}</section>'


def checked(evidence: Content, violations: Sequence[Content]) -> str:
    """Slices, bias and violations, as tables."""
    bias = [
        {
            "group": f"{each['facet']['column']} in {', '.join(map(str, each['facet']['values']))}",
            "metric": each["metric"],
            "": BIAS.get(each["metric"], ""),
            "value [95 % interval]": phrases.interval(each),
        }
        for each in evidence["bias"]
    ]
    checks = [
        {
            "column": each["feature_name"],
            "check": each["constraint_check_type"].removesuffix("_check").replace("_", " "),
            "what": each["description"],
        }
        for each in violations
    ]
    tables = {
        "Slices": [{name: each[name] for name in SLICE} for each in evidence["slices"]],
        "Bias, by Clarify's formulas": bias,
        "Violated constraints": checks,
    }
    made = "".join(
        f'<section class="card wide">{evaluation.table(name, rows)}</section>'
        for name, rows in tables.items()
        if rows
    )
    absent = ", ".join(name for name, rows in tables.items() if not rows)
    said = f'<p class="soft">Nothing to tell of: {absent}.</p>' if absent else ""
    return f'<h2>Slices, bias and constraints</h2><div class="stack">{made}</div>{said}'


def rule(decision: Content | None) -> str:
    """The rule that decided, and what it saw in every window."""
    if decision is None:
        return ""
    told = [
        {"rule": name.removesuffix("_s").replace("_", " "), "": _told(name, value)}
        for name, value in decision["rule"].items()
    ]
    seen = [
        {
            "window": name.replace("_", " to "),
            "alarm": "yes" if each["is_alarm"] else "no",
            "why": each["why"],
        }
        for name, each in decision["evidence"].items()
    ]
    facts = {"labels new since the champion": "new_labels", "trainings in the period": "trainings_in_period"}
    told += [
        {"rule": name, "": phrases.number(decision[key])} for name, key in facts.items() if key in decision
    ]
    tables = [evaluation.table("The rule, and where it stands", told)]
    tables += [evaluation.table("What it saw", seen)] if seen else []
    made = "".join(f'<section class="card wide">{table}</section>' for table in tables)
    return f'<h2>The rule</h2><div class="beside">{made}</div>'


def _told(name: str, value: Any) -> str:  # noqa: ANN401 - a rule's setting may be anything
    if name.endswith("_s"):
        return phrases.age(value)
    return phrases.number(value) if isinstance(value, (int, float)) else str(value)


def provenance(story: Content, evidence: Content) -> str:
    """Where everything on the page comes from."""
    rows = "".join(
        f'<tr><th scope="row">{escape(each["what"])}<td>{_address(each["uri"])}<td>{_digest(each)}'
        for each in story["provenance"]
    )
    champion = evidence["champion"]
    promotions = [
        {
            "entry": each["number"],
            "version": phrases.version(each["version"]),
            "data up to": phrases.moment(each["data_end"]),
        }
        for each in story["promotions"]
    ]
    history = evaluation.table("Promotions in the time of these windows", promotions) if promotions else ""
    return (
        f"<h2>Where it comes from</h2><p>Champion: <code>{escape(champion['version'])}</code></p>"
        '<div class="wide"><table><tr><th scope="col">what<th scope="col">where<th scope="col">digest'
        f"{rows}</table></div>{history}"
    )


def _address(uri: str) -> str:
    """An address; one of S3 leads there where the bucket is served as files."""
    text = f"<code>{escape(uri)}</code>"
    is_file = uri.startswith("s3://") and not uri.endswith("/")
    return f'<a href="{escape(phrases.place(uri))}">{text}</a>' if is_file else text


def _digest(found: Content) -> str:
    """A digest, where there is one."""
    return f"<code>{escape(found['digest'])}</code>" if found.get("digest") else ""
