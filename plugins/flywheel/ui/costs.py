"""What a second of each step costs on AWS: an estimate, by a table of prices that lies beside this file."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from include.core import steps
from include.core.cycle import Compute, Cycle

PRICES = Path(__file__).with_name("prices.json")


@lru_cache(maxsize=1)
def prices() -> dict[str, Any]:
    """Return the table: prices by instance type, with their region, date and source."""
    table: dict[str, Any] = json.loads(PRICES.read_text(encoding="utf-8"))
    return table


def costs(cycle: Cycle) -> dict[str, Any]:
    """Return each step's instances and their price per hour; None where the table has no price."""
    table = prices()
    return {
        "note": {name: table[name] for name in ("currency", "region", "kind", "as_of", "source")},
        "steps": {name: _instances(row.compute_of(cycle)) for name, row in steps.JOBS.items() if row.dags},
    }


def _instances(compute: Compute) -> dict[str, Any]:
    price = prices()["per_hour"].get(compute.instance_type)
    return {
        "instance_type": compute.instance_type,
        "instance_count": compute.instance_count,
        "per_hour": None if price is None else price * compute.instance_count,
    }
