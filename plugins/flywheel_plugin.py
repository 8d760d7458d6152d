"""Registers Flywheel's links, timetable and page with Airflow.

Imported by every Airflow process, each task's included: it must stay light.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from flywheel.links import LINKS
from flywheel.timetables import CycleTimetable
from flywheel.ui.lazy import LazyApplication, reading_ahead

PAGE = {"app": LazyApplication(), "url_prefix": "/flywheel", "name": "Flywheel"}
#: Addresses in Airflow's pages are relative to where Airflow is, which may be a path of its own on its host.
ICONS = {"icon": "flywheel/static/icon.svg", "icon_dark_mode": "flywheel/static/icon-dark.svg"}
#: where in Airflow's own pages it is, and what is shown there
VIEWS: list[dict[str, Any]] = [
    {"destination": "nav", "url_route": "flywheel", "href": "flywheel/", "nav_top_level": True},
    {"destination": "dag", "url_route": "flywheel-dag", "href": "flywheel/dags/{DAG_ID}"},
    {"destination": "dag_run", "url_route": "flywheel-run", "href": "flywheel/dags/{DAG_ID}/runs/{RUN_ID}"},
    {
        "destination": "task_instance",
        "url_route": "flywheel-task",
        "href": "flywheel/dags/{DAG_ID}/runs/{RUN_ID}/tasks/{TASK_ID}",
    },
]


class FlywheelPlugin(AirflowPlugin):
    """What Airflow's pages show of Flywheel."""

    name = "flywheel"
    operator_extra_links = list(LINKS)  # noqa: RUF012 - Airflow's own attribute
    timetables = [CycleTimetable]  # noqa: RUF012 - Airflow's own attribute
    fastapi_apps = [PAGE]  # noqa: RUF012 - Airflow's own attribute
    fastapi_root_middlewares = [{"middleware": reading_ahead, "name": "Flywheel reads ahead"}]  # noqa: RUF012 - as above
    external_views = [{"name": "Flywheel", **ICONS, **view} for view in VIEWS]  # noqa: RUF012 - Airflow's own
