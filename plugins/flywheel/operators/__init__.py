"""One operator per step of the cycle, in the order of the cycle, and those of the DAG `explore`."""

from flywheel.operators.data import CleanOperator, FetchOperator, PrepareOperator, TransformOperator
from flywheel.operators.job import StepOperator
from flywheel.operators.model import EvaluateOperator, TrainOperator
from flywheel.operators.monitoring import (
    BatchTransformOperator,
    CollectOperator,
    ExpireOperator,
    MatureOperator,
    MonitorOperator,
    ReportOperator,
)
from flywheel.operators.notebook import KeepNotebookOperator, OpenNotebookOperator, StopNotebookOperator
from flywheel.operators.promotion import (
    ApproveOperator,
    DecidePromotionOperator,
    RegisterOperator,
    RollBackOperator,
)
from flywheel.operators.retraining import DecideRetrainingOperator, RequestRetrainingOperator, retrain_asset
from flywheel.operators.serving import DeployOperator
from flywheel.operators.verify import VerifyOperator

__all__ = [  # noqa: RUF022 - in the order of the cycle
    # data
    "FetchOperator",
    "CleanOperator",
    "TransformOperator",
    # a model, and whether it is promoted
    "TrainOperator",
    "EvaluateOperator",
    "DecidePromotionOperator",
    "ApproveOperator",
    "RegisterOperator",
    "RollBackOperator",
    # in production
    "DeployOperator",
    "VerifyOperator",
    # a window, and whether the model is retrained
    "PrepareOperator",
    "BatchTransformOperator",
    "CollectOperator",
    "MonitorOperator",
    "MatureOperator",
    "DecideRetrainingOperator",
    "ReportOperator",
    "RequestRetrainingOperator",
    "retrain_asset",
    "ExpireOperator",
    # any step of the table whose inputs are whole outputs
    "StepOperator",
    # explore
    "OpenNotebookOperator",
    "KeepNotebookOperator",
    "StopNotebookOperator",
]
