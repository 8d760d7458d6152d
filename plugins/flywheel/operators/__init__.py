"""One operator per step of the cycle, in the order of the cycle, and those of the DAG `explore`."""

from flywheel.operators.approval import ApproveOperator
from flywheel.operators.collecting import CollectOperator, ExpireOperator, MatureOperator
from flywheel.operators.data import CleanOperator, FetchOperator, PrepareOperator, TransformOperator
from flywheel.operators.model import EvaluateOperator, TrainOperator
from flywheel.operators.notebook import KeepNotebookOperator, OpenNotebookOperator, StopNotebookOperator
from flywheel.operators.promotion import DecideOperator, RegisterOperator
from flywheel.operators.reporting import ReportOperator
from flywheel.operators.retraining import DecideRetrainingOperator, RequestRetrainingOperator, retrain_asset
from flywheel.operators.rollback import RollBackOperator
from flywheel.operators.scoring import BatchTransformOperator, MonitorOperator
from flywheel.operators.serving import DeployOperator
from flywheel.operators.verify import VerifyOperator

__all__ = [
    "ApproveOperator",
    "BatchTransformOperator",
    "CleanOperator",
    "CollectOperator",
    "DecideOperator",
    "DecideRetrainingOperator",
    "DeployOperator",
    "EvaluateOperator",
    "ExpireOperator",
    "FetchOperator",
    "KeepNotebookOperator",
    "MatureOperator",
    "MonitorOperator",
    "OpenNotebookOperator",
    "PrepareOperator",
    "RegisterOperator",
    "ReportOperator",
    "RequestRetrainingOperator",
    "RollBackOperator",
    "StopNotebookOperator",
    "TrainOperator",
    "TransformOperator",
    "VerifyOperator",
    "retrain_asset",
]
