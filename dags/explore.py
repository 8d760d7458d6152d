"""Opens a JupyterLab on a SageMaker notebook instance, and stops it after some hours.

### Steps
**open** creates or starts the instance `flywheel-explore` if need be, and hands out an address that logs in:
as the link *Notebook* of the task, in its log, and as its XCom. **keep** waits until the hours are over, and
holds no worker. **stop** stops the instance; its files stay for the next time.

On the local SageMaker a new instance has the project's sample notebooks: explore, clean, train, evaluate and
deploy a month of flights.

### Params
- **Hours**: how long the instance is kept.
- **Stop now**: only stop it, whoever started it.

### Another address
An address can be used once and within five minutes. A further run hands out another one; the run that
started the instance keeps it. To stop early, mark `keep` a success, or trigger with *Stop now*.

### Running again
A run stops only what it started: ending one of its tasks, too, leaves alone what another run has opened.
"""

from datetime import UTC, datetime

from airflow.sdk import DAG

from flywheel import params
from flywheel.operators import KeepNotebookOperator, OpenNotebookOperator, StopNotebookOperator

with DAG(
    dag_id="explore",
    description="Opens a JupyterLab on a SageMaker notebook instance, and stops it after some hours.",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2013, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args=params.DEFAULT_ARGS,
    params=params.form("hours", "stop"),
    tags=["flywheel"],
):
    opened = OpenNotebookOperator(task_id="open")
    kept = KeepNotebookOperator(task_id="keep")
    # also after a task that failed or was ended: what this run started must not stay
    stopped = StopNotebookOperator(task_id="stop", trigger_rule="all_done")

    opened >> kept >> stopped
