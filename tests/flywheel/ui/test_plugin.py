"""What Airflow loads of the page in each of its processes is next to nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from include.core.settings import PROJECT

#: prints which modules the plugin's import adds to those of Airflow's plugin base and the operators' links
PROGRAM = """
import json, sys
from airflow.plugins_manager import AirflowPlugin
from flywheel.links import LINKS
from flywheel.timetables import CycleTimetable
before = set(sys.modules)
import flywheel_plugin
plugin = flywheel_plugin.FlywheelPlugin
views = [(view["url_route"], view["href"]) for view in plugin.external_views]
print(json.dumps([sorted(set(sys.modules) - before), views]))
"""


def test_the_plugin_imports_nothing_but_itself() -> None:
    """Neither FastAPI, nor boto3, nor the page's application: a task pays for none of them."""
    environment = {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}"}

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    added, views = json.loads(done.stdout.splitlines()[-1])
    routes, addresses = zip(*views, strict=True)
    assert added == ["flywheel.ui", "flywheel.ui.lazy", "flywheel_plugin"]
    assert len(set(routes)) == len(routes) == 4
    # relative to where Airflow is: a proxy may give it a path of its own
    assert {address.partition("/")[0] for address in addresses} == {"flywheel"}
