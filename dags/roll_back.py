"""Takes production back to a version that was there before.

### Steps
**roll_back** records in the ledger from which version, to which, by whom and why; **deploy** brings the
earlier version into service; **verify** compares the live endpoint with what it answered offline.

### Params
- **To version**: ARN or number of the version. Empty: the last good one before the current.
- **Reason**: kept in the ledger and in the registry.

### What follows
The version that was left does not come back by running its interval again: its promotion is withdrawn for
good. The next challenger is compared with the version gone back to, and is promoted and deployed if it is
better. To promote newly what was withdrawn, train its interval again with *Run every job again*.

### Running again
A run records one rollback, however often its tasks are cleared.
"""

from airflow.sdk import DAG

from flywheel import params
from flywheel.operators import DeployOperator, RollBackOperator, VerifyOperator
from include.core.cycle import find_cycles

for cycle in find_cycles().values():
    with DAG(
        dag_id=f"{cycle.name}_roll_back",
        description=f"Takes the model of the cycle {cycle.name} back to an earlier version.",
        doc_md=f"Takes the model of the cycle {cycle.name} back to an earlier version.\n\n{__doc__}",
        schedule=None,
        start_date=cycle.start,
        catchup=False,
        max_active_runs=1,
        default_args=params.DEFAULT_ARGS,
        params=params.form("to_version", "reason"),
        tags=["flywheel", cycle.name],
    ):
        roll_back = RollBackOperator(task_id="roll_back", cycle=cycle)
        deploy = DeployOperator(task_id="deploy", cycle=cycle, version_from="roll_back")
        verify = VerifyOperator(task_id="verify", cycle=cycle)

        roll_back >> deploy >> verify
