"""Scores the records of one window with the model that was in production when it began, and watches both.

### Steps
fetch and clean are the same jobs as in training: whichever DAG comes second reuses them. **prepare**
makes the records ready. **batch_transform** scores them with the champion as of the window's start,
which has seen none of them. **collect** joins these answers, and those that the endpoint gave meanwhile,
with what has become known of the events. **monitor** compares the data with the champion's baseline, and
its predictions with the labels; **mature** does the latter again for earlier windows whose labels came
late. **decide** records both, and by the cycle's rule whether the model is to be retrained: its log tells
the reasons, the link *Decision* shows the record. **report** shows the window on one page. If retraining is
due, **request_retraining** asks `train_and_deploy` for it by the asset `flywheel://<cycle>/retrain`; else
it is skipped. **expire** forgets captured traffic that is older than the cycle keeps it. Results are behind
each task's link *Outputs*.

### Params
- **Start of the interval**: which window to work on. Empty: the one the run was scheduled for; for a
  run started by hand the newest complete one. The first line of each task's log names it.
- **Run every job again**: also what has completed before.

### Running again, and backfills
Every job is named by what goes into it: code, data, parameters, libraries. Clear any task at any time: a
job that runs is attached to, one that has completed is reused, one that has failed is run again. Nothing
reads "the latest": a backfill gives what the scheduled run would have given. It records its decisions and
asks for nothing: only the newest window does, and only while no other request is open. Where a window is
monitored after later ones, the decisions about those are made again. Windows before the first training has
its data have no champion and are skipped.
"""

from typing import Any

from airflow.sdk import DAG

from flywheel import params
from flywheel.notifiers import DriftNotifier
from flywheel.operators import (
    BatchTransformOperator,
    CleanOperator,
    CollectOperator,
    DecideRetrainingOperator,
    ExpireOperator,
    FetchOperator,
    MatureOperator,
    MonitorOperator,
    PrepareOperator,
    ReportOperator,
    RequestRetrainingOperator,
)
from flywheel.timetables import CycleTimetable
from include.core.cycle import find_cycles
from include.core.layout import scoring_dag
from include.core.schedule import window_schedule

for cycle in find_cycles().values():
    of_windows: dict[str, Any] = {"cycle": cycle, "schedule": window_schedule(cycle)}
    with DAG(
        dag_id=scoring_dag(cycle.name),
        description=cycle.description,
        doc_md=f"{cycle.description}\n\n{__doc__}",
        schedule=CycleTimetable.of_windows(cycle),
        start_date=cycle.start,
        catchup=False,
        max_active_runs=4,
        default_args=params.DEFAULT_ARGS,
        params=params.form("interval_start", "force"),
        tags=["flywheel", cycle.name],
    ):
        fetch = FetchOperator(task_id="fetch", **of_windows)
        clean = CleanOperator(task_id="clean", **of_windows)
        prepare = PrepareOperator(task_id="prepare", **of_windows)
        batch_transform = BatchTransformOperator(task_id="batch_transform", **of_windows)
        collect = CollectOperator(task_id="collect", **of_windows)
        monitor = MonitorOperator(task_id="monitor", **of_windows)
        mature = MatureOperator(task_id="mature", **of_windows)
        # mature is skipped where no labels came late; where there is no champion, so is everything
        rule = "none_failed_min_one_success"
        decide = DecideRetrainingOperator(
            task_id="decide", trigger_rule=rule, on_success_callback=DriftNotifier(), **of_windows
        )
        report = ReportOperator(task_id="report", **of_windows)
        request_retraining = RequestRetrainingOperator(task_id="request_retraining", **of_windows)

        fetch >> clean >> prepare >> batch_transform >> collect >> monitor >> mature
        [monitor, mature] >> decide >> [report, request_retraining]

        # forgets old captured traffic, whatever becomes of the window: waits for nothing
        ExpireOperator(task_id="expire", **of_windows)
