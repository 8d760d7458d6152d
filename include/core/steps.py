"""The table of steps: what each one runs as, reads and writes, and which files its key takes in.

Requests, costs, key records, digests of code, the documentation's tables and tests come from here. A new step
is a row, a module in include/steps (unless it runs in Airflow) and a task in a DAG.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from include.core.cycle import Compute, Cycle
from include.core.exceptions import FlywheelError

TRAIN_AND_DEPLOY, SCORE_AND_MONITOR, ROLL_BACK = "train_and_deploy", "score_and_monitor", "roll_back"
#: kinds of SageMaker job, by the names of `include.core.sagemaker.kinds`
JobKindName = Literal["processing job", "training job", "transform job"]
#: the field of a cycle that says on which instances its jobs of a kind run
INSTANCES: Mapping[JobKindName | None, str] = MappingProxyType(
    {"processing job": "processing", "training job": "training", "transform job": "serving"}
)


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """One step of a cycle, or of a command."""

    #: unique; names keys, places and results
    name: str
    #: the task's name where it is another: two DAGs have a task `decide`
    task: str = ""
    #: the DAGs that have it, without the cycle's name; empty: a command runs it
    dags: tuple[str, ...] = ()
    #: the command that runs it, for a step of no DAG
    command: str = ""
    #: kind of SageMaker job; None: the step runs in Airflow
    kind: JobKindName | None = None
    #: inputs by name (`*` matches a part of a name), each with what it is
    inputs: Mapping[str, str] = field(default_factory=dict)
    #: files that the step writes below its output; for a step in Airflow, what it leaves
    outputs: tuple[str, ...] = ()
    #: patterns, relative to include/, of what counts for its key beside the contract and the job's module
    code: tuple[str, ...] = ()
    #: the same for files of the cycle's package, relative to it
    cycle_code: tuple[str, ...] = ("**/*",)

    @property
    def task_id(self) -> str:
        """The name of the step's task in its DAG."""
        return self.task or self.name

    @property
    def module(self) -> str:
        """The module that runs in the job's container: the step's own, or in a transform job the server."""
        return f"include.steps.{'serve' if self.kind == 'transform job' else self.name}"

    def compute_of(self, cycle: Cycle) -> Compute:
        """Return the instances that a cycle gives the step's job."""
        instances: Compute = getattr(cycle, INSTANCES[self.kind])
        return instances


def _files(folder: str, names: str, ending: str = "py") -> tuple[str, ...]:
    """Return the names of files of one folder."""
    return tuple(f"{folder}/{name}.{ending}" for name in names.split())


# Chapters of the shared code, as the lists below name them
_TEMPLATES = "ml/reports/templates"
_DESCRIPTION = _files("core", "checks compute cycle cycle_files monitoring sources tasks")
_CONTRACT = (*_DESCRIPTION, *_files("ml", "cycle_code exceptions"), "steps/contract.py")
_PARQUET = ("steps/tables.py", "ml/cleaning/arrow_types.py", "ml/monitoring/summaries.py")
_TABLES = ("steps/manifest.py", *_PARQUET)
_MODEL = ("core/archives.py", "ml/models/limits.py", *_files("steps/serving", "inference model_files"))
_ROWS = ("steps/rows.py", *_PARQUET, *_files("ml/cleaning", "columns reading"), "ml/features/labels.py")
_FEATURES = (*_TABLES, *_MODEL, *_ROWS)
_METRICS = _files("ml/evaluation", "intervals metrics resampling")
_TRUTH = ("ml/features/labels.py", *_files("ml/monitoring", "ground_truth records"))
_JUDGING = (
    *(*_TABLES, *_METRICS, *_TRUTH),
    "steps/monitoring/reference.py",
    *_files("ml/evaluation", "clusters comparison operating"),
    *_files("ml/monitoring", "estimation judging"),
)
_PAGES = (*_files("ml/reports", "pages phrases"), *_files(_TEMPLATES, "base macros", "*"))

_ROWS_OF_STEPS = (
    StepRow(
        name="fetch",
        dags=(TRAIN_AND_DEPLOY, SCORE_AND_MONITOR),
        kind="processing job",
        inputs={"source/*": "the interval's objects of each table, where the source is in S3"},
        outputs=("*.parquet",),
        code=(*_TABLES, "ml/cleaning/csv_chunks.py"),
    ),
    StepRow(
        name="clean",
        dags=(TRAIN_AND_DEPLOY, SCORE_AND_MONITOR),
        kind="processing job",
        inputs={"fetch": "the interval's fetch"},
        outputs=("*.parquet", "quarantine.parquet", "quality.json"),
        code=(*_TABLES, *_files("ml/cleaning", "checks columns duplicates reading rules")),
    ),
    StepRow(
        name="transform",
        dags=(TRAIN_AND_DEPLOY,),
        kind="processing job",
        inputs={"clean": "the clean of every interval since the cycle's start"},
        outputs=(
            "train/*.parquet",
            "validation/*.parquet",
            "holdout/*.parquet",
            "baseline/statistics.json",
            "baseline/constraints.json",
        ),
        code=(*_FEATURES, "ml/features/splitting.py", *_files("ml/monitoring", "constraints statistics")),
    ),
    StepRow(
        name="train",
        dags=(TRAIN_AND_DEPLOY,),
        kind="training job",
        inputs={"train": "the transform's training rows", "validation": "the transform's validation rows"},
        outputs=("model.tar.gz",),
        code=(
            *(*_MODEL, *_ROWS, *_METRICS),
            *_files("ml/evaluation", "clusters comparison operating"),
            *_files("ml/models", "adversarial baselines export"),
            *_files("ml/cleaning", "sent checks"),
        ),
    ),
    StepRow(
        name="evaluate",
        dags=(TRAIN_AND_DEPLOY,),
        kind="processing job",
        inputs={
            "train": "the transform's training rows, of which a sample is kept for monitoring",
            "holdout": "the transform's holdout",
            "challenger": "the folder of the trained `model.tar.gz`",
            "champion": "the same of the champion as of the interval, where there is one",
        },
        outputs=(
            "evaluation.json",
            "verdict.json",
            "golden.jsonl",
            "report.html",
            "model_card.json",
            "model_card.html",
            "monitoring.json",
            "reference.parquet",
        ),
        code=(
            *(*_FEATURES, *_JUDGING, *_PAGES),
            *_files("core/documents", "codec model"),
            "steps/judgement.py",
            "ml/evaluation/promotion.py",
            *_files("ml/reports", "charts drawing evaluation"),
            *_files(_TEMPLATES, "card evaluation", "*"),
        ),
    ),
    StepRow(
        name="decide_promotion",
        task="decide",
        dags=(TRAIN_AND_DEPLOY,),
        inputs={"verdict.json": "the evaluation's verdict"},
        outputs=("a decision in the ledger",),
    ),
    StepRow(
        name="approve",
        dags=(TRAIN_AND_DEPLOY,),
        inputs={"decision": "the ledger's; a person is asked where the param `approval` is on"},
        outputs=("a rejection in the ledger, if that is the answer",),
    ),
    StepRow(
        name="register",
        dags=(TRAIN_AND_DEPLOY,),
        inputs={"decision": "the ledger's, and the answer"},
        outputs=("a model package", "a promotion in the ledger"),
    ),
    StepRow(
        name="roll_back",
        dags=(ROLL_BACK,),
        inputs={"ledger": "all promotions"},
        outputs=("a rollback in the ledger", "the version that was left becomes Rejected in the registry"),
    ),
    StepRow(
        name="deploy",
        dags=(TRAIN_AND_DEPLOY, ROLL_BACK),
        inputs={"promotion": "the ledger's", "metrics": "CloudWatch's metrics of the canary"},
        outputs=(
            "a model",
            "endpoint configurations",
            "the endpoint `<cycle>`",
            "`<cycle>/rollouts/` (how trials ended)",
        ),
    ),
    StepRow(
        name="verify",
        dags=(TRAIN_AND_DEPLOY, ROLL_BACK),
        inputs={"golden.jsonl": "the evaluation's rows with the offline model's answers"},
        outputs=("nothing; it fails on a difference",),
    ),
    StepRow(
        name="prepare",
        dags=(SCORE_AND_MONITOR,),
        kind="processing job",
        inputs={"clean": "the interval's clean"},
        outputs=("batch/*.csv or batch/*.jsonl", "rows/*.parquet", "labels/labels.parquet"),
        code=_FEATURES,
    ),
    StepRow(
        name="batch_transform",
        dags=(SCORE_AND_MONITOR,),
        kind="transform job",
        inputs={"batch": "the prepare's `batch/`", "model": "the champion's `model.tar.gz`"},
        outputs=("*.csv.out or *.jsonl.out",),
        code=(*_MODEL, "ml/cleaning/sent.py", *_files("steps/serving", "payload server")),
    ),
    StepRow(
        name="collect",
        dags=(SCORE_AND_MONITOR,),
        kind="processing job",
        inputs={
            "prepared": "the window's prepare",
            "scored": "the window's batch_transform",
            "captured": "capture files of the endpoint, where there are any",
            "truth": "ground-truth files, where there are any",
        },
        outputs=("predictions.parquet", "labels.parquet", "merged/*.jsonl", "coverage.json"),
        code=(*_TABLES, *_TRUTH, "steps/traffic.py"),
    ),
    StepRow(
        name="monitor",
        dags=(SCORE_AND_MONITOR,),
        kind="processing job",
        inputs={
            "prepared": "the window's prepare",
            "scored": "the window's batch_transform",
            "collected": "the window's collect",
            "baseline": "`baseline/` of the champion's transform",
            "evaluated": "the champion's evaluate",
        },
        outputs=(
            "statistics.json",
            "constraints.json",
            "constraint_violations.json",
            "model_quality.json",
            "distributions.json",
            "evidence.json",
        ),
        code=(
            *_JUDGING,
            "core/schedule.py",
            *_files("steps/monitoring", "data quality"),
            *_files("ml/monitoring", "alarms bias constraints drift quality separability"),
            *_files("ml/monitoring", "statistics violations"),
        ),
    ),
    StepRow(
        name="mature",
        dags=(SCORE_AND_MONITOR,),
        kind="processing job",
        inputs={
            "plan": "`plan.json`: the windows, their monitors and references, the ends of all windows",
            "earlier": "files of their collects",
            "truth": "ground-truth files",
        },
        outputs=("matured.json",),
        code=(*_JUDGING, "steps/traffic.py"),
    ),
    StepRow(
        name="decide_retraining",
        task="decide",
        dags=(SCORE_AND_MONITOR,),
        inputs={"evidence.json": "of the last windows", "ledger": "all decisions"},
        outputs=("a watch record", "a decision record"),
    ),
    StepRow(
        name="report",
        dags=(SCORE_AND_MONITOR,),
        kind="processing job",
        inputs={
            "monitored": "the window's monitor",
            "report_input": "`report_input.json`: the evidence of the last windows and the decision",
        },
        outputs=("report.html",),
        code=(
            "core/places.py",
            "steps/manifest.py",
            *_PAGES,
            *_files("ml/reports", "distributions drawing"),
            *_files(_TEMPLATES, "window", "*"),
            "ml/reports/window/*",
        ),
    ),
    StepRow(
        name="request_retraining",
        dags=(SCORE_AND_MONITOR,),
        inputs={"decision": "the record; the step is skipped when nothing is due"},
        outputs=("a request", "an event of the asset `flywheel://<cycle>/retrain`"),
    ),
    StepRow(
        name="expire",
        dags=(SCORE_AND_MONITOR,),
        inputs={"captured": "names of captured files"},
        outputs=("nothing; it removes files older than `Monitoring.retention`",),
    ),
    StepRow(
        name="compare",
        command="make replay",
        kind="processing job",
        inputs={
            "replay_input": "`replay_input.json`: intervals, first champion, decisions, seconds",
            "prepared": "files of the intervals' prepares",
            "models": "files of the intervals' trainings",
        },
        outputs=("replay.json", "replay.html"),
        code=(
            *(*_FEATURES, *_JUDGING, *_PAGES),
            *_files("ml/reports", "charts drawing replays"),
            *_files(_TEMPLATES, "replay", "*"),
        ),
    ),
    StepRow(
        name="reproduce",
        command="make reproduce",
        kind="processing job",
        inputs={
            "rows": "the transform's holdout",
            "original": "the folder of the recorded `model.tar.gz`",
            "again": "the folder of the repeated `model.tar.gz`",
        },
        outputs=("reproduction.json",),
        code=(*_FEATURES, "ml/models/export.py"),
    ),
)


def _whole(row: StepRow) -> StepRow:
    """Return a row with the code that counts for every job."""
    module = row.module.removeprefix("include.").replace(".", "/")
    return replace(row, code=(*_CONTRACT, f"{module}.py", *row.code)) if row.kind else row


STEPS: Mapping[str, StepRow] = MappingProxyType({row.name: _whole(row) for row in _ROWS_OF_STEPS})
#: those that run as a job
JOBS: Mapping[str, StepRow] = MappingProxyType({name: row for name, row in STEPS.items() if row.kind})


def job_step(name: str) -> StepRow:
    """Return the row of a step that runs as a job.

    :raises FlywheelError: there is no such step, or it runs in Airflow
    """
    if name not in JOBS:
        raise FlywheelError(f"No job is called {name!r}. Add it to STEPS in include/core/steps.py.")
    return JOBS[name]
