"""Registers Flywheel's links, timetable and page with Airflow.

Imported by every Airflow process, each task's included: it must stay light.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from flywheel.links import LINKS
from flywheel.timetables import CycleTimetable
from flywheel.ui.lazy import LazyApplication

PAGE = {"app": LazyApplication(), "url_prefix": "/flywheel", "name": "Flywheel"}
#: the page in Airflow's navigation
VIEWS = [
    {
        "name": "Flywheel",
        "href": "/flywheel/",
        "destination": "nav",
        "nav_top_level": True,
        "url_route": "flywheel",
        "icon": "/flywheel/static/icon.svg",
        "icon_dark_mode": "/flywheel/static/icon-dark.svg",
    },
]


class FlywheelPlugin(AirflowPlugin):
    """What Airflow's pages show of Flywheel."""

    name = "flywheel"
    operator_extra_links = list(LINKS)  # noqa: RUF012 - Airflow's own attribute
    timetables = [CycleTimetable]  # noqa: RUF012 - Airflow's own attribute
    fastapi_apps = [PAGE]  # noqa: RUF012 - Airflow's own attribute
    external_views = VIEWS
