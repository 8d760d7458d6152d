"""How far rows have moved from a baseline, and which of its constraints they break."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.ml.constraints import body, completeness

#: with fewer present values a distance tells more about chance than about drift
MIN_PRESENT = 500
#: values quoted in a description
QUOTED = 5

Violation = dict[str, str]


def bucket_edges(feature: Mapping[str, Any]) -> NDArray[np.float64]:
    """The bounds of a number's buckets in statistics.json, n + 1 for n buckets."""
    buckets = body(feature)["distribution"]["kll"]["buckets"]
    return np.array([buckets[0]["lower_bound"], *(bucket["upper_bound"] for bucket in buckets)])


def kolmogorov_smirnov(baseline: NDArray[np.int64], current: NDArray[np.int64]) -> float:
    """Largest difference of two cumulative distributions at the bounds of common buckets, 0 to 1.

    Parameters
    ----------
    baseline, current
        Counts below the first bound, in each bucket, and above the last one.

    Returns
    -------
    The distance; within buckets the true one may be larger, by at most a bucket's share.

    Examples
    --------
    >>> kolmogorov_smirnov(np.array([0, 50, 50, 0]), np.array([0, 10, 90, 0]))
    0.4
    """
    shares = [counts.cumsum() / counts.sum() for counts in (baseline, current)]
    return float(np.abs(shares[0] - shares[1]).max())


def total_variation(baseline: Mapping[str, int], current: Mapping[str, int]) -> float:
    """Half the sum of all differences between two distributions of categories, 0 to 1.

    Examples
    --------
    >>> total_variation({"UA": 50, "B6": 50}, {"UA": 20, "B6": 60, "AA": 20})
    0.3
    """
    totals = sum(baseline.values()), sum(current.values())
    names = sorted(baseline.keys() | current.keys())
    gaps = (abs(baseline.get(n, 0) / totals[0] - current.get(n, 0) / totals[1]) for n in names)
    return round(sum(gaps) / 2, 12)


def distances(
    baseline: Mapping[str, Any], current: Mapping[str, Any], counts: Mapping[str, NDArray[np.int64]]
) -> dict[str, float]:
    """Distance of every feature that both statistics have, by name: Kolmogorov-Smirnov or total variation.

    Parameters
    ----------
    baseline, current
        Contents of statistics.json.
    counts
        For numbers, the current values in the baseline's buckets, as `statistics.histogram` counts them.

    Returns
    -------
    Distances from 0 to 1; features with fewer than MIN_PRESENT values on a side are left out.
    """
    found = {}
    now = {feature["name"]: feature for feature in current["features"]}
    for before in baseline["features"]:
        name = before["name"]
        if name not in now or min(_present(before), _present(now[name])) < MIN_PRESENT:
            continue
        if _is_text(before) and _is_text(now[name]):
            found[name] = total_variation(categories(before), categories(now[name]))
        elif name in counts and not _is_text(now[name]):
            buckets = body(before)["distribution"]["kll"]["buckets"]
            inside = np.array([0, *(int(bucket["count"]) for bucket in buckets), 0])
            found[name] = kolmogorov_smirnov(inside, counts[name])
    return found


def violations(
    constraints: Mapping[str, Any], current: Mapping[str, Any], moved: Mapping[str, float]
) -> list[Violation]:
    """The contents of constraint_violations.json: what the current rows break, in the order of the features.

    Parameters
    ----------
    constraints
        Contents of the baseline's constraints.json.
    current
        Contents of the current rows' statistics.json.
    moved
        Distances from the baseline, as `distances` gives them.

    Examples
    --------
    >>> from include.ml.constraints import suggest
    >>> from include.ml.statistics import describe_frames
    >>> import pandas as pd
    >>> rules = suggest(describe_frames([pd.DataFrame({"sky": ["clear", "grey"], "temp": [3.5, 4.0]})]))
    >>> now = describe_frames([pd.DataFrame({"sky": ["clear", "red"]})])
    >>> [found["constraint_check_type"] for found in violations(rules, now, {})]
    ['categorical_values_check', 'missing_column_check']
    """
    now = {feature["name"]: feature for feature in current["features"]}
    config = constraints["monitoring_config"]
    found: list[Violation] = []
    for rule in constraints["features"]:
        found += _broken(rule, now.get(rule["name"]), config, moved.get(rule["name"]))
    known = {rule["name"] for rule in constraints["features"]}
    found += [
        _violation(name, "extra_column_check", "The baseline has no such column.")
        for name in now
        if name not in known
    ]
    return found


def _broken(
    rule: Mapping[str, Any], now: Mapping[str, Any] | None, config: Mapping[str, Any], distance: float | None
) -> Iterator[Violation]:
    name = rule["name"]
    if now is None:
        yield _violation(name, "missing_column_check", "The baseline has this column, the rows have not.")
        return
    # a column without a value has no type of its own
    if _present(now) and not _fits(rule["inferred_type"], now["inferred_type"]):
        text = f"The baseline has {rule['inferred_type']} values, the rows have {now['inferred_type']}."
        yield _violation(name, "data_type_check", text)
        return
    share = completeness(now)
    if share < rule["completeness"]:
        text = f"{share:.1%} of the rows have a value; the constraint asks for {rule['completeness']:.1%}."
        yield _violation(name, "completeness_check", text)
    yield from _outside(rule, now, config)
    threshold = config["distribution_constraints"]["comparison_threshold"]
    if distance is not None and distance > threshold:
        kind = "Total variation" if _is_text(now) else "Kolmogorov-Smirnov"
        text = f"{kind} distance {distance:.3f} from the baseline exceeds {threshold}."
        yield _violation(name, "baseline_drift_check", text)


def _outside(
    rule: Mapping[str, Any], now: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[Violation]:
    if rule.get("num_constraints", {}).get("is_non_negative") and body(now).get("min", 0.0) < 0:
        text = f"The smallest value is {body(now)['min']:g}; the baseline has none below 0."
        yield _violation(rule["name"], "range_check", text)
    if "string_constraints" not in rule or not _present(now):
        return
    new = {v: n for v, n in categories(now).items() if v not in set(rule["string_constraints"]["domains"])}
    share = 1 - sum(new.values()) / _present(now)
    if share < config["domain_content_threshold"]:
        quoted = ", ".join(sorted(new, key=lambda value: (-new[value], value))[:QUOTED])
        text = f"{len(new)} new values, in {1 - share:.1%} of the rows: {quoted}."
        yield _violation(rule["name"], "categorical_values_check", text)


def categories(feature: Mapping[str, Any]) -> dict[str, int]:
    """Counts by category of a text feature in statistics.json."""
    return {b["value"]: b["count"] for b in body(feature)["distribution"]["categorical"]["buckets"]}


def _fits(expected: str, found: str) -> bool:
    """Whole numbers fit a column of fractions, and nothing else fits another type."""
    return expected == found or (expected, found) == ("Fractional", "Integral")


def _present(feature: Mapping[str, Any]) -> int:
    return int(body(feature)["common"]["num_present"])


def _is_text(feature: Mapping[str, Any]) -> bool:
    return bool(feature["inferred_type"] == "String")


def _violation(name: str, check: str, description: str) -> Violation:
    return {"feature_name": name, "constraint_check_type": check, "description": description}
