"""Registers Flywheel's links and timetable with Airflow.

Imported by every Airflow process, each task's included: it must stay light.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from flywheel.links import LINKS
from flywheel.timetables import CycleTimetable


class FlywheelPlugin(AirflowPlugin):
    """What Airflow's pages show of Flywheel."""

    name = "flywheel"
    operator_extra_links = list(LINKS)  # noqa: RUF012 - Airflow's own attribute
    timetables = [CycleTimetable]  # noqa: RUF012 - Airflow's own attribute
