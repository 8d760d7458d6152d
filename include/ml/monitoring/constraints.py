"""Constraints in Model Monitor's schema: what later rows have to keep to, suggested from a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.ml.monitoring.summaries import CATEGORIES

#: by how much the share of present values may fall below the baseline's, if hardly any is missing there
COMPLETENESS_SLACK = 0.05
#: share of rows whose category the baseline has to know
DOMAIN_SHARE = 0.99
#: share of values that must be of the baseline's type; fewer of another one are counted, and no fault
TYPE_SHARE = 0.99
#: a column that misses values anyway may miss more: the odds of a missing value may grow to so many times
MISSING_ODDS = 3


def suggest_constraints(statistics: Mapping[str, Any], drift_distance: float = 0.1) -> dict[str, Any]:
    """Return the contents of constraints.json for a baseline's statistics.json.

    A private column, of which the statistics tell no values, has a type and a completeness only.
    `drift_distance` is the distance of two distributions, 0 to 1, that may be called drift.

    Examples
    --------
    >>> seats = {"common": {"num_present": 2, "num_missing": 0}, "min": 2.0}
    >>> feature = {"name": "seats", "inferred_type": "Integral", "numerical_statistics": seats}
    >>> found = suggest_constraints({"features": [feature]})
    >>> found["features"][0]["num_constraints"], found["features"][0]["completeness"]
    ({'is_non_negative': True}, 0.95)
    """
    return {
        "version": 0.0,
        "features": [_constraint(feature) for feature in statistics["features"]],
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": TYPE_SHARE,
            "domain_content_threshold": DOMAIN_SHARE,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": drift_distance,
                "comparison_method": "Simple",
                "categorical_comparison_threshold": drift_distance,
                "categorical_drift_method": "TotalVariation",
            },
        },
    }


def completeness(feature: Mapping[str, Any]) -> float:
    """Return the share of present values in one entry of statistics.json, 0 to 1; 1 for no rows at all."""
    common = statistics_of(feature)["common"]
    present, missing = common["num_present"], common["num_missing"]
    return float(present / (present + missing)) if present + missing else 1.0


def statistics_of(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the statistics proper of one entry, of numbers or of text."""
    statistics: Mapping[str, Any] = feature.get("numerical_statistics") or feature["string_statistics"]
    return statistics


def least_completeness(share: float) -> float:
    """Return the share of present values from which on a column counts as broken.

    5 points below the baseline's, or where values are missing anyway, the odds of a missing one tripled:
    gusts are not measured in calm weather, and a calm month is no fault.

    Examples
    --------
    >>> [round(least_completeness(share), 3) for share in (1.0, 0.9, 0.2)]
    [0.95, 0.75, 0.077]
    """
    by_points = max(share - COMPLETENESS_SLACK, share / 2)
    by_odds = share / (share + MISSING_ODDS * (1 - share))
    return round(min(by_points, by_odds), 6)


def _constraint(feature: Mapping[str, Any]) -> dict[str, Any]:
    least = least_completeness(completeness(feature))
    common = {"name": feature["name"], "inferred_type": feature["inferred_type"], "completeness": least}
    statistics = statistics_of(feature)
    if feature["inferred_type"] == "Unknown":
        return common
    if "string_statistics" in feature:
        values = [bucket["value"] for bucket in statistics["distribution"]["categorical"]["buckets"]]
        # an incomplete list would call known values new
        is_whole = len(values) == statistics["distinct_count"] < CATEGORIES
        return {**common, "string_constraints": {"domains": values}} if is_whole and values else common
    if statistics["common"]["num_present"] and "min" not in statistics:
        return common
    return {**common, "num_constraints": {"is_non_negative": statistics.get("min", 0.0) >= 0.0}}
