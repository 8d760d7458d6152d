"""Statistics of a table in Model Monitor's schema, gathered frame by frame in memory that does not grow."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: buckets of a number's distribution; each holds about the same share of the baseline
BUCKETS = 20
#: equal steps between minimum and maximum, from which the buckets' bounds are chosen
FINE_STEPS = 4096


@dataclass
class NumberSummary:
    """Moments and range of a column of numbers."""

    present: int = 0
    missing: int = 0
    mean: float = 0.0
    #: sum of squared differences from the mean
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    is_integral: bool = True

    def add(self, values: pd.Series) -> None:
        """Take in more values (Chan's update, exact for any division into frames up to rounding)."""
        numbers = values.dropna().to_numpy(dtype=float)
        self.missing += len(values) - len(numbers)
        if not len(numbers):
            return
        total, mean = self.present + len(numbers), float(numbers.mean())
        difference = mean - self.mean
        self.squares += float(((numbers - mean) ** 2).sum())
        self.squares += difference**2 * self.present * len(numbers) / total
        self.mean += difference * len(numbers) / total
        self.present = total
        self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))
        self.is_integral &= bool((numbers == np.floor(numbers)).all())

    def describe(self, name: str, buckets: list[dict[str, float]]) -> dict[str, Any]:
        """The feature's entry in statistics.json."""
        numbers: dict[str, Any] = {"common": {"num_present": self.present, "num_missing": self.missing}}
        if self.present:
            numbers |= {
                "mean": self.mean,
                "sum": self.mean * self.present,
                "std_dev": math.sqrt(self.squares / self.present),
                "min": self.low,
                "max": self.high,
            }
        numbers["distribution"] = {"kll": {"buckets": buckets}}
        kind = "Integral" if self.is_integral else "Fractional"
        return {"name": name, "inferred_type": kind, "numerical_statistics": numbers}


@dataclass
class TextSummary:
    """Categories of a column of text, with their counts."""

    missing: int = 0
    categories: Counter[str] = field(default_factory=Counter)

    def add(self, values: pd.Series) -> None:
        """Take in more values."""
        self.missing += int(values.isna().sum())
        self.categories.update({str(value): int(n) for value, n in values.value_counts().items()})

    def describe(self, name: str) -> dict[str, Any]:
        """The feature's entry in statistics.json."""
        buckets = [{"value": value, "count": n} for value, n in sorted(self.categories.items())]
        texts = {
            "common": {"num_present": self.categories.total(), "num_missing": self.missing},
            "distinct_count": len(buckets),
            "distribution": {"categorical": {"buckets": buckets}},
        }
        return {"name": name, "inferred_type": "String", "string_statistics": texts}


Summary = NumberSummary | TextSummary


class Profile:
    """First pass: moments, range and categories of every column."""

    def __init__(self) -> None:
        self.rows = 0
        self.columns: dict[str, Summary] = {}

    def add(self, frame: pd.DataFrame) -> None:
        """Take in more rows; the first frame decides each column's kind."""
        self.rows += len(frame)
        for name in frame.columns:
            is_number = pd.api.types.is_numeric_dtype(frame[name].dtype)
            summary = self.columns.setdefault(str(name), NumberSummary() if is_number else TextSummary())
            summary.add(frame[name])

    def numbers(self) -> dict[str, NumberSummary]:
        """The columns of numbers that have a value."""
        return {n: s for n, s in self.columns.items() if isinstance(s, NumberSummary) and s.present}

    def fine_edges(self) -> dict[str, NDArray[np.float64]]:
        """For each column of numbers equal steps from its minimum to its maximum."""
        return {
            name: np.linspace(s.low, s.high, FINE_STEPS + 1) if s.low < s.high else np.array([s.low, s.high])
            for name, s in self.numbers().items()
        }


class Histograms:
    """Second pass: how many values fall between given edges, below the first and above the last."""

    def __init__(self, edges: Mapping[str, NDArray[np.float64]]) -> None:
        self.edges = dict(edges)
        #: one count below the first edge, one for each step, one above the last edge
        self.counts = {name: np.zeros(len(edge) + 1, dtype=np.int64) for name, edge in edges.items()}

    def add(self, frame: pd.DataFrame) -> None:
        """Count more rows."""
        for name in self.edges.keys() & set(frame.columns):
            values = frame[name].dropna().to_numpy(dtype=float)
            self.counts[name] += histogram(values, self.edges[name])


def histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Counts below the first edge, within `[edge, next)` (the last one closed), and above the last edge.

    Examples
    --------
    >>> histogram(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 7.0]), np.array([0.0, 1.0, 2.0])).tolist()
    [1, 2, 2, 1]
    """
    inside = np.histogram(values, bins=edges)[0] if edges[0] < edges[-1] else [(values == edges[0]).sum()]
    return np.array([(values < edges[0]).sum(), *inside, (values > edges[-1]).sum()], dtype=np.int64)


def merge_steps(edges: NDArray[np.float64], counts: NDArray[np.int64]) -> list[dict[str, float]]:
    """Fine steps joined into at most BUCKETS buckets that hold about the same number of values.

    Examples
    --------
    >>> buckets = merge_steps(np.array([0.0, 1.0, 2.0, 3.0]), np.array([5, 0, 5]))
    >>> [(b["lower_bound"], b["upper_bound"], b["count"]) for b in buckets]
    [(0.0, 1.0, 5), (1.0, 3.0, 5)]
    """
    buckets: list[dict[str, float]] = []
    full, start, held = counts.sum() / BUCKETS, 0, 0
    for step, count in enumerate(counts.tolist()):
        held += count
        if held >= full or step == len(counts) - 1:
            bounds = {"lower_bound": float(edges[start]), "upper_bound": float(edges[step + 1])}
            buckets.append({**bounds, "count": held})
            start, held = step + 1, 0
    return buckets


def statistics(profile: Profile, buckets: Mapping[str, list[dict[str, float]]]) -> dict[str, Any]:
    """The contents of statistics.json."""
    features = [
        summary.describe(name, buckets.get(name, []))
        if isinstance(summary, NumberSummary)
        else summary.describe(name)
        for name, summary in profile.columns.items()
    ]
    return {"version": 0.0, "dataset": {"item_count": profile.rows}, "features": features}


def baseline_statistics(profile: Profile, fine: Histograms) -> dict[str, Any]:
    """statistics.json of a baseline, from both passes over its rows."""
    merged = {n: merge_steps(fine.edges[n], fine.counts[n][1:-1]) for n in fine.edges}
    return statistics(profile, merged)


def describe_frames(frames: Iterable[pd.DataFrame]) -> dict[str, Any]:
    """statistics.json of rows that can be read twice, such as a list of frames.

    Examples
    --------
    >>> found = describe_frames([pd.DataFrame({"temp": [1.0, 2.0, None], "sky": ["clear", "grey", "grey"]})])
    >>> temp, sky = found["features"]
    >>> temp["inferred_type"], temp["numerical_statistics"]["mean"]
    ('Integral', 1.5)
    >>> sky["string_statistics"]["distinct_count"]
    2
    """
    frames = list(frames)
    profile = Profile()
    for frame in frames:
        profile.add(frame)
    fine = Histograms(profile.fine_edges())
    for frame in frames:
        fine.add(frame)
    return baseline_statistics(profile, fine)
