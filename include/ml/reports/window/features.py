"""The features of a window: how each is distributed now and was before, and in the last windows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape

from include.ml.reports import drawing
from include.ml.reports.window import phrases
from include.ml.reports.window.findings import ordered, share, status, weight
from include.ml.reports.window.phrases import Content

#: bounds of the shades of a cell, in shares of the distance that counts as drift
SHADES = (0.25, 0.5, 1.0, 2.0, 4.0)
TESTS = {"ks": '<abbr title="Kolmogorov-Smirnov">KS</abbr>', "tv": "total variation"}
#: rows of a table of numbers: as many as a number's distribution has
ROWS = 24
NOT_SHOWN = "Not drawn: the window's distributions do not hold it."
PRIVATE = "Private: its values are not shown."

#: the two rows of the strip that are no features
PREDICTIONS, TOGETHER = "The predictions", "All features together"


def cards(evidence: Content, entries: Mapping[str, Content], private: Collection[str], limit: float) -> str:
    """One card for each feature, by importance times distance; those that stayed are folded away.

    Parameters
    ----------
    evidence
        The content of evidence.json.
    entries
        Distributions by the feature's name.
    private
        Features whose values are not shown.
    limit
        Distance from which on a feature may have drifted.
    """
    features = ordered(evidence["features"])
    made = {}
    for each in features:
        entry = None if each["name"] in private else entries.get(each["name"])
        absent = PRIVATE if each["name"] in private else NOT_SHOWN
        made[each["name"]] = card(each, features, badge(each, limit), shown(each, entry, absent))
    moved = "".join(made[f["name"]] for f in features if f["is_drifted"])
    stayed = "".join(made[f["name"]] for f in features if not f["is_drifted"])
    parts = [f'<div class="grid">{moved}</div>'] if moved else []
    if stayed:
        n = sum(not f["is_drifted"] for f in features)
        title = f"{phrases.count(n, 'feature')} that {'has' if n == 1 else 'have'} not moved"
        is_open = "" if moved else " open"
        parts.append(
            f'<details{is_open}><summary>{title}</summary><div class="grid">{stayed}</div></details>'
        )
    return "".join(parts)


def badge(feature: Content, limit: float) -> str:
    """A feature in one word; one that is far, but no further than chance may bring it, has not moved."""
    if feature["is_drifted"]:
        return '<span class="badge alarm">▲ moved</span>'
    is_far = (feature["distance"] or 0.0) >= limit
    return f'<span class="badge">{"may be chance" if is_far else "stayed"}</span>'


def shown(feature: Content, entry: Content | None, absent: str) -> str:
    """A feature's distribution now before that of the baseline, and its numbers."""
    if entry is None:
        return f'<p class="soft">{absent}</p>'
    return drawing.distribution(entry, f"{feature['name']}: baseline and current") + numbers(entry)


def card(feature: Content, features: Sequence[Content], badge: str, content: str) -> str:
    """A feature, with what is known of it in words."""
    said = [
        f"{_test(feature['test'])} distance <b>{phrases.number(feature['distance'])}</b>",
        _importance(feature, features),
        escape(phrases.chance(feature.get("p_value"))),
    ]
    facts = " · ".join(f"<span>{each}</span>" for each in said if each)
    css = "card moved" if feature["is_drifted"] else "card"
    return (
        f'<section class="{css}"><div class="head"><h3>{escape(feature["name"])}</h3>{badge}</div>'
        f'<p class="facts">{facts}</p>{content}</section>'
    )


def _test(name: str) -> str:
    return TESTS.get(name, escape(name))


def _importance(feature: Content, features: Sequence[Content]) -> str:
    """A combined attribute has none of its own: the columns that it is made of hold it."""
    if feature.get("importance") is None:
        return "importance: in what it is made of"
    return f"importance <b>{phrases.percent(share([feature], features))}</b>"


def numbers(entry: Content) -> str:
    """A distribution's numbers as a table, folded away; of many categories those that changed most."""
    found = list(zip(_names(entry), entry["baseline"], entry["current"], strict=True))
    found = [row for row in found if row[1] or row[2]]
    more = max(len(found) - ROWS, 0)
    if more:
        found = sorted(found, key=lambda row: -abs(row[1] - row[2]))[:ROWS]
    rows = "".join(
        f"<tr><td>{escape(name)}<td>{phrases.percent(before)}<td>{phrases.percent(now)}"
        for name, before, now in found
    )
    head = '<tr><th scope="col">values<th scope="col">baseline<th scope="col">current'
    left = f'<p class="soft">and {more:,} more, which changed less</p>' if more else ""
    return f"<details><summary>Numbers</summary><table>{head}{rows}</table>{left}</details>"


def _names(entry: Content) -> list[str]:
    if entry["kind"] != "number":
        return [str(value) for value in entry["values"]]
    names, edges = drawing.ranges(entry["edges"]), entry["edges"]
    if len(entry["baseline"]) == len(names):
        return names
    return [f"below {phrases.number(edges[0])}", *names, f"above {phrases.number(edges[-1])}"]


def strip(windows: Sequence[Content], limits: Mapping[str, float]) -> str:
    """Every feature over the last windows, the newest at the right: a shade and a number for each.

    Parameters
    ----------
    windows
        Evidence by window, the oldest first.
    limits
        `distance`: what counts as drift.
    """
    newest = windows[-1]
    features = ordered(newest["features"])
    heads = "".join(f'<th scope="col"><span>{escape(phrases.short(w["window"]))}</span>' for w in windows)
    top = max((weight(feature) for feature in features), default=0.0)
    rows = [_alarms(windows)]
    rows += [_row(f["name"], _bar(weight(f), top), _found(windows, f["name"]), limits) for f in features]
    rows.append(_row(PREDICTIONS, "", [each.get("predictions") for each in windows], limits))
    rows.append(_separability(windows))
    caption = (
        "Distance from the baseline of each window's own champion. The darker, the further beyond what "
        f"counts as drift ({phrases.number(limits['distance'])}); <b>framed</b>: has drifted; "
        "dark without a frame: chance may have brought it there; &ndash;: not compared."
    )
    return (
        f'<p class="soft">{caption}</p><div class="wide newest"><table class="strip"><thead><tr>'
        f'<th scope="col">feature<th scope="col">importance &times; distance{heads}</thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _found(windows: Sequence[Content], name: str) -> list[Content | None]:
    return [next((f for f in each["features"] if f["name"] == name), None) for each in windows]


def _row(name: str, bar: str, found: Sequence[Content | None], limits: Mapping[str, float]) -> str:
    limit = limits["distance"] or 1.0
    values = [each["distance"] if each else None for each in found]
    cells = [_cell(v, (v or 0.0) / limit, each) for v, each in zip(values, found, strict=True)]
    return f'<tr><th scope="row">{escape(name)}<td>{bar}{"".join(cells)}'


def _cell(value: float | None, level: float, found: Content | None) -> str:
    if found is None or value is None:
        return '<td class="none">&ndash;'
    shade = sum(level >= bound for bound in SHADES)
    css = f"h{shade}{' drifted' if found['is_drifted'] else ''}"
    return f'<td class="{css}">{value:.2f}'.replace(">0.", ">.")


def _separability(windows: Sequence[Content]) -> str:
    """The classifier's area under the curve; its shade goes by its own limit, from 0.5 on."""
    cells = []
    for each in windows:
        found = each.get("separability") or {}
        value, limit = found.get("value"), found.get("limit")
        level = 0.0 if value is None or limit is None else (value - 0.5) / max(limit - 0.5, 1e-9)
        cells.append(_cell(value, level, found or None))
    return f'<tr><th scope="row">{TOGETHER} <span class="soft">(AUC)</span><td>{"".join(cells)}'


def _alarms(windows: Sequence[Content]) -> str:
    """Which windows alarmed, and which were held back."""
    found = [status(each) for each in windows]
    cells = [
        f'<td class="{each.css}">{each.sign}<span class="hidden"> {escape(each.name)}</span>'
        for each in found
    ]
    signs = ", ".join(dict.fromkeys(f"{each.sign} {each.name.lower()}" for each in found))
    return f'<tr class="alarms"><th scope="row">{escape(signs)}<td>{"".join(cells)}'


def _bar(value: float, largest: float) -> str:
    """How heavy a feature's move is, beside the heaviest."""
    width = 100 * value / largest if largest else 0
    return f'<i style="width:{width:.3g}%"></i>' if width >= 0.5 else ""  # noqa: PLR2004 - less is not seen
