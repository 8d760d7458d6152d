"""The report of one window as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from include.ml.reports import drawing, evaluation, page_style
from include.ml.reports.window import details, features, findings, phrases, privacy
from include.ml.reports.window.phrases import Content
from include.ml.reports.window.style import STYLE


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a page is made from."""

    #: the content of story.json: the cycle, windows, decision, promotions, coverage, provenance
    story: Content
    #: the contents of evidence.json, distributions.json and constraint_violations.json of the window
    evidence: Content
    distributions: Content
    violations: Sequence[Content]
    #: "distance" that counts as drift and "matured_share" of labels that counts as known, 0 to 1
    limits: Mapping[str, float]
    #: columns whose values are not shown
    private: frozenset[str] = field(default=frozenset())


def page(report: Report) -> str:
    """The whole page: words first, then what moved, how good the model is, and what was decided."""
    story = {
        **report.story,
        "decision": privacy.decision_without(report.story["decision"], report.private),
    }
    known = findings.as_of(report.evidence, story["window"][1])
    evidence = privacy.without_private(known, report.private)
    windows = [*story["windows"][:-1], evidence]
    title = f"{story['cycle']}: {phrases.window(story['window'])}"
    parts = [
        head(title, evidence, story),
        f'<div class="rows">{tiles(evidence, windows)}{decided(story)}</div>',
        moved(report, evidence),
        predicted(report, evidence),
        "<h2>The last windows</h2>",
        features.strip(windows, report.limits),
        details.judged(evidence, windows, report.limits["matured_share"], story["coverage"]),
        details.checked(evidence, privacy.violations_without(report.violations, report.private)),
        details.rule(story["decision"]),
        details.provenance(story, evidence),
    ]
    return page_style.whole(title, parts, STYLE)


def head(title: str, evidence: Content, story: Content) -> str:
    """The title, the window in one word, and the summary in sentences."""
    found = findings.status(evidence)
    champion = evidence["champion"]
    first, *others = findings.summary(evidence, story["decision"])
    about = (
        f"{phrases.count(evidence['rows'], 'row')} against {escape(phrases.version(champion['version']))}, "
        f"which was trained on data up to {phrases.moment(champion['data_end'])}"
    )
    said = f'<p class="lead">{escape(first)}</p>' + "".join(f"<p>{escape(text)}</p>" for text in others)
    return (
        f'<header class="{found.css}"><div class="head"><h1>{escape(title)}</h1>'
        f'<span class="badge {found.css}">{found.sign} {found.name}</span></div>'
        f'<p class="soft">{about}</p><div class="card summary">{said}</div></header>'
    )


def tiles(evidence: Content, windows: Sequence[Content]) -> str:
    """Four numbers, each beside the window before."""
    before = windows[-2] if len(windows) > 1 else None
    names = {
        "features moved": lambda e: f"{len(findings.moved(e))} / {len(e['features'])}",
        "of the importance": lambda e: phrases.percent(findings.share(findings.moved(e), e["features"])),
        "all together (AUC)": lambda e: phrases.metric((e.get("separability") or {}).get("value")),
        _metric(evidence): _quality,
    }
    made = []
    for name, told in names.items():
        past = f'<span class="soft">before: {escape(told(before))}</span>' if before else ""
        made.append(
            f'<div class="tile"><b>{escape(told(evidence))}</b><span>{escape(name)}</span>{past}</div>'
        )
    return f'<section class="card tiles" aria-label="In numbers">{"".join(made)}</section>'


def _metric(evidence: Content) -> str:
    found = findings.quality_of(evidence) or evidence.get("estimate") or {"metric": "quality"}
    is_estimate = findings.quality_of(evidence) is None and evidence.get("estimate")
    return f"{found['metric']}{', an estimate' if is_estimate else ''}"


def _quality(evidence: Content) -> str:
    found = findings.quality_of(evidence) or evidence.get("estimate") or {}
    return phrases.metric(found.get("value"))


def decided(story: Content) -> str:
    """What was decided, with the reasons for and against."""
    decision = story["decision"]
    if decision is None:
        return '<section class="card"><h3>No decision is recorded</h3></section>'
    title = "Retraining is due" if decision["due"] else "No retraining is due"
    emission = decision.get("emission") or {}
    asked = "It was asked for" if emission.get("is_emitted") else "Nothing was asked for"
    why = f"<p>{asked}: {escape(str(emission.get('why', 'no reason was recorded')))}</p>"
    lists = _listed("For it", decision["reasons"]) + _listed("Against it", decision["against"])
    return f'<section class="card"><h3>{title}</h3>{_dots(decision)}{lists}{why}</section>'


def _dots(decision: Content) -> str:
    """M of N: a sign for each window, the newest at the right; windows that are not counted have none."""
    alarms = decision["alarms"]
    said = (
        f"{alarms['alarmed']} of {phrases.count(alarms['watched'], 'window')} alarmed; "
        f"it takes {alarms['needed']} of {alarms['of']}"
    )
    signs = "".join(
        "<b>▲</b>" if each["is_alarm"] else "○" for _, each in sorted(decision["evidence"].items())
    )
    return f'<p><span class="dots" aria-hidden="true">{signs}</span> {said}</p>'


def _listed(title: str, texts: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(text)}" for text in texts)
    return f"<p><b>{title}</b></p><ul>{items}</ul>" if items else ""


def moved(report: Report, evidence: Content) -> str:
    """The features as small multiples."""
    entries = {each["name"]: each for each in report.distributions["features"]}
    legend = (
        '<p class="legend"><span class="key base"></span>baseline: what the champion was trained on '
        '<span class="key now"></span>this window <span class="key now drifted"></span>this window, moved. '
        "Sorted by importance &times; distance.</p>"
    )
    cards = features.cards(evidence, entries, report.private, report.limits["distance"])
    return f"<h2>Features</h2>{legend}{cards}"


def predicted(report: Report, evidence: Content) -> str:
    """The predictions' own drift, and what tells the window from the baseline."""
    found, entry = evidence.get("predictions"), report.distributions.get("predictions")
    made = ""
    if found and entry:
        css = " moved" if found["is_drifted"] else ""
        chance = escape(phrases.chance(found.get("p_value")))
        said = f"distance <b>{phrases.number(found['distance'])}</b> {chance}"
        drawn = drawing.distribution(entry, "Predictions: baseline and current")
        picture = f'<div class="small">{drawn}</div>'
        made = (
            f'<section class="card{css}"><h3>Predictions</h3><p class="facts">{said}</p>{picture}'
            f"{features.numbers(entry)}</section>"
        )
    together = evidence.get("separability") or {}
    weights = together.get("features") or {}
    rows = [
        {"feature": name, "share": value}
        for name, value in sorted(weights.items(), key=lambda pair: -pair[1])[:8]
    ]
    table = evaluation.table("What it goes by", rows) if rows else ""
    text = escape(findings.separability_words(evidence))
    made += f'<section class="card"><h3>All features together</h3><p>{text}</p>{table}</section>'
    return f'<h2>Predictions, and all features together</h2><div class="beside">{made}</div>'
