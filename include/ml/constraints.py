"""Constraints in Model Monitor's schema: what later rows have to keep to, suggested from a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: by how much the share of present values may fall below the baseline's
COMPLETENESS_SLACK = 0.05
#: share of rows whose category the baseline has to know
DOMAIN_SHARE = 0.99
#: distance of two distributions, 0 to 1, that is called drift
DRIFT_DISTANCE = 0.2


def suggest(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """The contents of constraints.json for a baseline's statistics.json.

    Examples
    --------
    >>> from include.ml.statistics import describe_frames
    >>> import pandas as pd
    >>> found = suggest(describe_frames([pd.DataFrame({"seats": [2.0, 4.0]})]))
    >>> found["features"][0]["num_constraints"], found["features"][0]["completeness"]
    ({'is_non_negative': True}, 0.95)
    """
    return {
        "version": 0.0,
        "features": [_constraint(feature) for feature in statistics["features"]],
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": DOMAIN_SHARE,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": DRIFT_DISTANCE,
                "comparison_method": "Simple",
                "categorical_comparison_threshold": DRIFT_DISTANCE,
                "categorical_drift_method": "TotalVariation",
            },
        },
    }


def completeness(feature: Mapping[str, Any]) -> float:
    """Share of present values in one entry of statistics.json, 0 to 1; 1 for no rows at all."""
    common = body(feature)["common"]
    present, missing = common["num_present"], common["num_missing"]
    return float(present / (present + missing)) if present + missing else 1.0


def body(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    """The statistics proper of one entry, of numbers or of text."""
    found: Mapping[str, Any] = feature.get("numerical_statistics") or feature["string_statistics"]
    return found


def _constraint(feature: Mapping[str, Any]) -> dict[str, Any]:
    share = round(max(completeness(feature) - COMPLETENESS_SLACK, 0.0), 6)
    common = {"name": feature["name"], "inferred_type": feature["inferred_type"], "completeness": share}
    if feature["inferred_type"] == "String":
        values = [b["value"] for b in body(feature)["distribution"]["categorical"]["buckets"]]
        return {**common, "string_constraints": {"domains": values}}
    is_non_negative = body(feature).get("min", 0.0) >= 0.0
    return {**common, "num_constraints": {"is_non_negative": is_non_negative}}
