"""Which of a baseline's constraints the current rows break, and which of these breaks are faults upstream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from include.core.documents.data import ConstraintViolation
from include.core.documents.monitoring import Fault
from include.ml.monitoring.constraints import TYPE_SHARE, completeness, statistics_of
from include.ml.monitoring.drift import Movement, categories, count_present, is_text

#: values quoted in a description
QUOTED = 5
#: kinds of breaks that no change in the world explains: something upstream is at fault
FAULTS = ("missing_column_check", "extra_column_check", "data_type_check", "completeness_check")
#: a fault that no model notices: a column that it does not read
HARMLESS = "extra_column_check"


def violations(
    constraints: Mapping[str, Any], current: Mapping[str, Any], moved: Sequence[Movement]
) -> list[ConstraintViolation]:
    """Return what constraint_violations.json lists, in the order of the features.

    Parameters
    ----------
    constraints
        Contents of the baseline's constraints.json.
    current
        Contents of the current rows' statistics.json.
    moved
        How far features have moved: those that have drifted are violations too.

    Examples
    --------
    >>> from include.ml.monitoring.constraints import suggest_constraints
    >>> seats = {"common": {"num_present": 2, "num_missing": 0}, "min": 2.0}
    >>> feature = {"name": "seats", "inferred_type": "Integral", "numerical_statistics": seats}
    >>> rules = suggest_constraints({"features": [feature]})
    >>> now = {"dataset": {"item_count": 2}, "features": []}
    >>> [broken.constraint_check_type for broken in violations(rules, now, [])]
    ['missing_column_check']
    """
    now = {feature["name"]: feature for feature in current["features"]}
    if not current["dataset"]["item_count"]:
        # Without rows there are no columns to judge; one fault says it all.
        return [ConstraintViolation("", "empty_window_check", "The window holds no rows.")]
    drifted = {movement.name: movement for movement in moved if movement.is_drifted}
    broken: list[ConstraintViolation] = []
    for rule in constraints["features"]:
        broken += _broken(rule, now.get(rule["name"]), constraints["monitoring_config"])
        if rule["name"] in drifted:
            broken.append(_drift(drifted[rule["name"]]))
    known = {rule["name"] for rule in constraints["features"]}
    broken += [
        ConstraintViolation(name, "extra_column_check", "The baseline has no such column.")
        for name in now
        if name not in known
    ]
    return broken


def faults(violated: Sequence[ConstraintViolation]) -> tuple[Fault, ...]:
    """Return the violations that alert and never retrain."""
    return tuple(
        Fault(feature=v.feature_name, check=v.constraint_check_type, description=v.description)
        for v in violated
        if v.constraint_check_type in (*FAULTS, "empty_window_check")
    )


def _broken(
    rule: Mapping[str, Any], now: Mapping[str, Any] | None, config: Mapping[str, Any]
) -> Iterator[ConstraintViolation]:
    name = rule["name"]
    if now is None:
        yield ConstraintViolation(
            name, "missing_column_check", "The baseline has this column, the rows have not."
        )
        return
    n_other, text = _of_another_type(rule["inferred_type"], now)
    if n_other > (1 - TYPE_SHARE) * count_present(now):
        yield ConstraintViolation(name, "data_type_check", text)
        return
    if n_other:
        yield ConstraintViolation(name, "stray_type_check", text)
    share = completeness(now)
    if share < rule["completeness"]:
        text = f"{share:.1%} of the rows have a value; the constraint asks for {rule['completeness']:.1%}."
        yield ConstraintViolation(name, "completeness_check", text)
    yield from _outside(rule, now, config)


def _outside(
    rule: Mapping[str, Any], now: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[ConstraintViolation]:
    if rule.get("num_constraints", {}).get("is_non_negative") and statistics_of(now).get("min", 0.0) < 0:
        text = f"The smallest value is {statistics_of(now)['min']:g}; the baseline has none below 0."
        yield ConstraintViolation(rule["name"], "range_check", text)
    if "string_constraints" not in rule or not count_present(now) or not is_text(now):
        return
    known = set(rule["string_constraints"]["domains"])
    new = {value: n for value, n in categories(now).items() if value not in known}
    share = 1 - sum(new.values()) / count_present(now)
    if share < config["domain_content_threshold"]:
        quoted = ", ".join(sorted(new, key=lambda value: (-new[value], value))[:QUOTED])
        text = f"{len(new)} new values, in {1 - share:.1%} of the rows: {quoted}."
        yield ConstraintViolation(rule["name"], "categorical_values_check", text)


def _drift(moved: Movement) -> ConstraintViolation:
    kind = {"ks": "Kolmogorov-Smirnov", "tv": "Total variation"}[moved.test]
    text = f"{kind} distance {moved.distance:.3f} from the baseline, with p = {moved.p_value:.1g} corrected."
    return ConstraintViolation(moved.name, "baseline_drift_check", text)


def _of_another_type(expected: str, now: Mapping[str, Any]) -> tuple[int, str]:
    """Return how many values are not of the baseline's type, and that in words.

    Whole numbers fit a column of fractions, and anything fits a column that had no values. A column that
    has no values itself has no type.
    """
    types = now.get("type_counts") or {now["inferred_type"]: count_present(now)}
    fitting = {"Fractional": {"Fractional", "Integral"}, "Unknown": set(types)}.get(expected, {expected})
    others = {kind: n for kind, n in types.items() if n and kind not in fitting}
    listed = " and ".join(f"{n:,} of {count_present(now):,} values are {kind}" for kind, n in others.items())
    return sum(others.values()), f"The baseline has {expected} values; {listed}."
