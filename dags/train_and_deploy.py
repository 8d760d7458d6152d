"""Makes a model from all data up to an interval's end, and brings it into service if it is better.

### Steps
fetch, clean, transform, train and evaluate are SageMaker jobs; their logs are in their tasks' logs,
their outputs behind the link *Outputs*. **decide** records in the ledger whether the challenger is
promoted, and why; **approve** asks a person first, if the run is told to. **register** makes it a
version in the registry and, if so decided, promotes it.
**deploy** is skipped unless this run's version is the newest one promoted; **verify** then compares the
live endpoint with the offline model.

### When it runs
On the cycle's timetable; by hand; and when monitoring asks for it by the asset `flywheel://<cycle>/retrain`.
Such a run trains for the interval of the request, and **fetch** tells in its log who asked and why. It is
skipped if the interval was trained for meanwhile. The run's page shows the event with its reasons.

### Params
- **Start of the interval**: which interval to work on. Empty: the one the run was scheduled for; for a
  run started by hand the newest complete one. The first line of each task's log names it.
- **Run every job again**: also what has completed before.
- **Deploy**: off, to decide and register only.
- **Ask for approval**: before a promotion, wait for a person's word in *Required Actions*; without one
  within a day, the version is rejected.

### Running again
Every job is named by what goes into it: code, data, parameters, libraries. Clear any task at any time: a
job that runs is attached to, one that has completed is reused, one that has failed is run again. Ending
a task stops its job, unless another run waits for it too.

### Backfills
Work in any order, and several at once: **transform** waits for the cleaned data of all intervals before its
own, **evaluate** for the decision about the one before, in the triggerer and without holding a worker. If
nothing happens to a missing interval for five minutes, the task fails and says what to run. A backfill
backwards needs as many active runs as intervals, since each waits for the one that comes after it. A
backfill never moves production back: an older version is recorded in the history and not deployed.
"""

from airflow.sdk import DAG, AssetOrTimeSchedule

from flywheel import params
from flywheel.operators import (
    ApproveOperator,
    CleanOperator,
    DecidePromotionOperator,
    DeployOperator,
    EvaluateOperator,
    FetchOperator,
    RegisterOperator,
    TrainOperator,
    TransformOperator,
    VerifyOperator,
    retrain_asset,
)
from flywheel.timetables import CycleTimetable
from include.core.cycle import find_cycles
from include.core.layout import training_dag

for cycle in find_cycles().values():
    with DAG(
        dag_id=training_dag(cycle.name),
        description=cycle.description,
        doc_md=f"{cycle.description}\n\n{__doc__}",
        schedule=AssetOrTimeSchedule(
            timetable=CycleTimetable.of(cycle),  # type: ignore[arg-type] # any timetable of a plugin will do
            assets=[retrain_asset(cycle)],
        ),
        start_date=cycle.start,
        catchup=False,
        # Data and models are made side by side; transform and evaluate wait for the intervals before them.
        max_active_runs=3,
        default_args=params.DEFAULT_ARGS,
        params=params.form("interval_start", "force", "deploy", "approval"),
        tags=["flywheel", cycle.name],
    ):
        fetch = FetchOperator(task_id="fetch", cycle=cycle)
        clean = CleanOperator(task_id="clean", cycle=cycle)
        transform = TransformOperator(task_id="transform", cycle=cycle)
        train = TrainOperator(task_id="train", cycle=cycle)
        evaluate = EvaluateOperator(task_id="evaluate", cycle=cycle)
        decide = DecidePromotionOperator(task_id="decide", cycle=cycle)
        approve = ApproveOperator(task_id="approve", cycle=cycle, params=params.answer_form())
        register = RegisterOperator(task_id="register", cycle=cycle)
        deploy = DeployOperator(task_id="deploy", cycle=cycle)
        verify = VerifyOperator(task_id="verify", cycle=cycle)

        fetch >> clean >> transform >> train >> evaluate >> decide >> approve >> register
        register >> deploy >> verify
