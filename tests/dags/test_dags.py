"""The DAG files: they parse, quickly and lightly, and read as the cycle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from include.core import steps
from include.core.cycle import find_cycles
from tests.examples import not_none

ROOT = Path(__file__).resolve().parents[2]
CYCLES = sorted(find_cycles())
#: the table of steps has them in the order of the cycle
CHAINS = {
    kind: [row.task_id for row in steps.STEPS.values() if kind in row.dags]
    for kind in ("train_and_deploy", "score_and_monitor", "roll_back")
}
#: about no cycle
ALONE = {"explore": ["open", "keep", "stop"]}
#: the tasks that more than one task follows, or none
BRANCHES = {
    "score_and_monitor": {
        "monitor": {"mature", "decide"},
        "decide": {"report", "request_retraining"},
        "report": set(),
        # it waits for nothing, and nothing waits for it
        "request_retraining": set(),
    }
}
STEPS = {f"{cycle}_{kind}": chain for cycle in CYCLES for kind, chain in CHAINS.items()} | ALONE
EVERY_DAG = list(STEPS)
#: those that are about the interval of their run
SCHEDULED = [dag_id for dag_id in EVERY_DAG if not dag_id.endswith(("roll_back", "explore"))]
HEAVY = ["pandas", "numpy", "sklearn", "boto3", "botocore", "pyarrow"]

PARSE = f"""
import json, sys
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
bag = DagBag(dag_folder={str(ROOT / "dags")!r})
print("\\n" + json.dumps({{"errors": bag.import_errors, "new": sorted(set(sys.modules) - before)}}))
"""


def test_every_cycle_has_its_dags(bag: DagBag) -> None:
    """No file failed, and nothing else is there."""
    assert bag.import_errors == {}
    assert sorted(bag.dags) == sorted(EVERY_DAG)


def test_parsing_imports_nothing_heavy() -> None:
    """Every task parses its DAG file again, and would pay for each import."""
    done = subprocess.run([sys.executable, "-c", PARSE], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["errors"] == {}
    tops = {name.split(".")[0] for name in found["new"]}
    assert "flywheel" in tops
    assert tops & set(HEAVY) == set()
    assert [n for n in found["new"] if n.startswith(("airflow.providers.amazon.aws", "include.steps"))] == []


@pytest.mark.parametrize("dag_id", EVERY_DAG)
def test_the_graph_reads_as_the_cycle(bag: DagBag, dag_id: str) -> None:
    """The steps follow each other in the order of the cycle, with the branches that there are."""
    dag, kind = bag.dags[dag_id], dag_id.partition("_")[2]
    chain = STEPS[dag_id]
    assert sorted(task.task_id for task in dag.topological_sort()) == sorted(chain)  # type: ignore[no-untyped-call]
    following = dict(zip(chain, [{name} for name in chain[1:]] + [set()], strict=True))
    expected = following | BRANCHES.get(kind, {})
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == expected


@pytest.mark.parametrize("cycle", CYCLES)
def test_a_window_is_decided_about_whether_labels_came_late_or_not(bag: DagBag, cycle: str) -> None:
    """But not where nothing was scored: then everything is skipped."""
    rules = {task.task_id: task.trigger_rule.value for task in bag.dags[f"{cycle}_score_and_monitor"].tasks}
    assert rules.pop("decide") == "none_failed_min_one_success"
    assert set(rules.values()) == {"all_success"}


@pytest.mark.parametrize("dag_id", EVERY_DAG)
def test_each_task_is_the_operator_of_its_step(bag: DagBag, dag_id: str) -> None:
    """A task bears the name under which its step's outputs and results are found."""
    tasks: list[Any] = bag.dags[dag_id].tasks
    assert {task.task_id: task.step for task in tasks} == {task.task_id: task.task_id for task in tasks}


@pytest.mark.parametrize("dag_id", SCHEDULED)
def test_the_schedule_is_the_cycles(bag: DagBag, dag_id: str) -> None:
    """Intervals from the cycle's start to its end; what was missed is backfilled on purpose only."""
    dag, cycle = bag.dags[dag_id], find_cycles()[dag_id.partition("_")[0]]
    is_training = dag_id.endswith("train_and_deploy")
    cron = cycle.schedule if is_training else cycle.monitoring.schedule or cycle.schedule
    expected = {"expression": cron, "timezone": "UTC", "end": cycle.end and cycle.end.isoformat()}
    timetable: Any = dag.timetable
    assert (timetable.timetable if is_training else timetable).serialize() == expected
    assert dag.start_date == cycle.start
    assert dag.catchup is False
    # With one, Airflow would give runs that are started after it no tasks, and call them a success.
    assert dag.end_date is None


# Airflow's reader of .airflowignore uses a name that pathspec is giving up.
@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
@pytest.mark.parametrize("cycle", CYCLES)
def test_training_is_asked_for_by_an_asset_besides(bag: DagBag, cycle: str) -> None:
    """The scheduler reads both from what was written of the DAG, and can still backfill it."""
    written = DagSerialization.serialize_dag(bag.dags[f"{cycle}_train_and_deploy"])
    timetable: Any = DagSerialization.deserialize_dag(json.loads(json.dumps(written))).timetable
    (asset,) = (asset for _, asset in timetable.asset_condition.iter_assets())
    assert asset.name == f"flywheel://{cycle}/retrain"
    assert timetable.timetable.serialize()["expression"] == find_cycles()[cycle].schedule
    assert timetable.periodic is True


@pytest.mark.parametrize("cycle", CYCLES)
def test_nothing_rolls_back_by_itself(bag: DagBag, cycle: str) -> None:
    """Only a person starts it, and must say why."""
    dag = bag.dags[f"{cycle}_roll_back"]
    assert dag.timetable.can_be_scheduled is False
    with pytest.raises(ParamValidationError):
        dag.params.validate()
    assert dag.params.get_param("reason").resolve("It is wrong about Sundays.")


def test_an_instance_is_stopped_however_its_run_ends(bag: DagBag) -> None:
    """Nothing starts it by itself; a task that fails or is ended leaves it to `stop`, too."""
    dag = bag.dags["explore"]
    assert dag.timetable.can_be_scheduled is False
    assert dag.get_task("stop").trigger_rule.value == "all_done"
    dag.params.validate()
    with pytest.raises(ParamValidationError):
        dag.params.get_param("hours").resolve(0)


@pytest.mark.parametrize("cycle", CYCLES)
def test_nobody_is_asked_unless_the_run_is_told_to(bag: DagBag, cycle: str) -> None:
    """Backfills and schedules go on by themselves."""
    assert bag.dags[f"{cycle}_train_and_deploy"].params["approval"] is False


@pytest.mark.parametrize("dag_id", EVERY_DAG)
def test_every_task_retries_broken_connections_but_no_verdicts(bag: DagBag, dag_id: str) -> None:
    """The policy fails at once what would be the same tomorrow."""
    tasks: list[Any] = bag.dags[dag_id].tasks
    for task in tasks:
        assert task.retries == 5
        assert task.retry_policy.rules[0].exception == "include.core.exceptions.PermanentError"


@pytest.mark.parametrize("dag_id", EVERY_DAG)
def test_the_form_explains_its_fields(bag: DagBag, dag_id: str) -> None:
    """Each param has a title and a description."""
    params = bag.dags[dag_id].params
    schemas = {name: params.get_param(name) for name in params}
    assert all(param.schema["title"] and param.description for param in schemas.values())


@pytest.mark.parametrize("dag_id", SCHEDULED)
def test_the_form_passes_as_it_is(bag: DagBag, dag_id: str) -> None:
    """A schedule fills in nothing."""
    bag.dags[dag_id].params.validate()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("interval_start", "soon"),
        ("interval_start", "2013-02-30"),
        ("interval_start", 2013),
        ("force", "yes"),
        ("deploy", None),
    ],
)
def test_the_form_refuses_malformed_params(bag: DagBag, name: str, value: object) -> None:
    """Before a run begins."""
    with pytest.raises(ParamValidationError):
        bag.dags["flights_train_and_deploy"].params.get_param(name).resolve(value)


@pytest.mark.parametrize("value", ["2013-01-01", None])
def test_the_form_takes_a_date_or_nothing(bag: DagBag, value: object) -> None:
    """Nothing means the run's own interval."""
    assert bag.dags["flights_train_and_deploy"].params.get_param("interval_start").resolve(value) == value


@pytest.mark.parametrize("dag_id", EVERY_DAG)
def test_every_dag_has_a_page(bag: DagBag, dag_id: str) -> None:
    """It tells what the DAG does, its params, and how to run it again."""
    text = not_none(bag.dags[dag_id].doc_md)
    assert text.startswith(not_none(bag.dags[dag_id].description))
    assert "### Steps" in text
    assert "### Params" in text
    assert "Running again" in text


# Airflow's reader of .airflowignore uses a name that pathspec is giving up.
@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
@pytest.mark.parametrize("dag_id", EVERY_DAG)
def test_a_dag_survives_serialization(bag: DagBag, dag_id: str) -> None:
    """Only what Airflow can write and read again reaches the scheduler and the page."""
    written = DagSerialization.serialize_dag(bag.dags[dag_id])
    read = DagSerialization.deserialize_dag(json.loads(json.dumps(written)))
    assert sorted(read.task_dict) == sorted(STEPS[dag_id])
    links = {task.task_id: {link.name for link in task.operator_extra_links} for task in read.tasks}
    of_tables = {"Flywheel", "Outputs", "Job log", "Profile"}
    assert links.get("fetch", of_tables) == of_tables
    without = {task for task, names in links.items() if "Flywheel" not in names}
    assert without == (set(links) if dag_id == "explore" else set())
