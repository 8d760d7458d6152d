"""The built-in algorithms: trained under their published hyperparameters, and served in AWS's formats."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sagemaker_kit.jobs import ROLE, Lab
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service
from sagemaker_kit.serving import ask, deploy, until, variant

REGISTRY = "382416733822.dkr.ecr.us-east-1.amazonaws.com"
RNG = np.random.default_rng(7)
ROWS = RNG.normal(size=(200, 3))
#: the first feature says which half a row is in
HALVES = (ROWS[:, 0] > 0).astype(int)
SUMS = ROWS @ np.array([2.0, -1.0, 0.5])


@pytest.fixture(scope="module")
def lab(start_shared_service: Callable[..., Service]) -> Lab:
    """A service with the images that are always there, and data of two kinds."""
    made = Lab(start_shared_service())
    made.put(halves__rows_csv=csv(HALVES), sums__rows_csv=csv(SUMS), plain__rows_csv=csv())
    lines = [
        f"{label} " + " ".join(f"{i}:{v}" for i, v in enumerate(row))
        for label, row in zip(HALVES, ROWS, strict=True)
    ]
    made.put(svm__rows="\n".join(lines))
    return made


def csv(labels: Any = None) -> str:
    """The rows without a header, the label first."""
    table = ROWS if labels is None else np.column_stack([labels, ROWS])
    return "\n".join(",".join(repr(float(cell)) for cell in row) for row in table)


def fit(
    lab: Lab, name: str, image: str, data: str, kind: str = "text/csv", **hyperparameters: Any
) -> dict[str, Any]:
    """Train, with the same data for validation and test; the job's description when it has ended."""
    place = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://lab/{data}"}}
    lab.train(
        name,
        "",
        AlgorithmSpecification={"TrainingImage": f"{REGISTRY}/{image}", "TrainingInputMode": "File"},
        HyperParameters={key: str(value) for key, value in hyperparameters.items()},
        InputDataConfig=[
            {"ChannelName": channel, "DataSource": place, "ContentType": kind}
            for channel in ("train", "validation", "test")
        ],
        Environment={},
    )
    return lab.trained(name)


def measured(job: dict[str, Any]) -> dict[str, float]:
    """The final metrics by name."""
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    return {item["MetricName"]: item["Value"] for item in job["FinalMetricDataList"]}


def serve(lab: Lab, job: dict[str, Any]) -> str:
    """Deploy what a job has trained; the endpoint's name."""
    name: str = job["TrainingJobName"]
    container = {
        "Image": job["AlgorithmSpecification"]["TrainingImage"],
        "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
    }
    lab.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    deploy(lab.service, name, variant(name))
    return name


def body(count: int = 3) -> str:
    """A request of some rows as CSV."""
    return "\n".join(",".join(str(cell) for cell in row) for row in ROWS[:count])


@pytest.mark.parametrize(
    ("data", "kind"), [("halves", "text/csv"), pytest.param("svm", "text/libsvm", marks=pytest.mark.long)]
)
def test_xgboost_classifies(lab: Lab, data: str, kind: str) -> None:
    """From CSV and libsvm; the answer of CSV is one score for each row, parted by commas."""
    given = {"num_round": 20, "objective": "binary:logistic", "eval_metric": "auc", "subsample": 0.8}
    job = fit(lab, f"xgb-{data}", "sagemaker-xgboost:1.7-1", data, kind, **given)
    assert measured(job)["validation:auc"] > 0.99
    name = serve(lab, job)
    scores = [float(score) for score in ask(lab.service, name, body()).split(",")]
    assert [int(score > 0.5) for score in scores] == HALVES[:3].tolist()
    answer = ask(lab.service, name, body(), Accept="application/json")
    assert [item["score"] for item in answer["predictions"]] == scores


@pytest.mark.long
def test_xgboost_regresses_and_stops_early(lab: Lab) -> None:
    """The rounds end where the validation's metric no longer improves."""
    job = fit(
        lab,
        "xgb-sums",
        "xgboost:1",
        "sums",
        num_round=3000,
        objective="reg:squarederror",
        eta=0.5,
        early_stopping_rounds=2,
    )
    assert measured(job)["validation:rmse"] < 0.2


def test_linear_learner_classifies(lab: Lab) -> None:
    """With a score and a label for each row, asked by JSON, too."""
    job = fit(
        lab, "linear", "linear-learner:1", "halves", predictor_type="binary_classifier", mini_batch_size=10
    )
    found = measured(job)
    assert found["validation:binary_classification_accuracy"] > 0.95
    assert found["test:roc_auc_score"] > 0.99
    name = serve(lab, job)
    predictions = ask(lab.service, name, body())["predictions"]
    assert [item["predicted_label"] for item in predictions] == HALVES[:3].tolist()
    asked = json.dumps({"instances": [{"features": row.tolist()} for row in ROWS[:3]]})
    assert ask(lab.service, name, asked, ContentType="application/json")["predictions"] == predictions
    with refused("ModelError", "has 2 features", "model 3"):
        ask(lab.service, name, "1,2")


@pytest.mark.long
def test_linear_learner_regresses(lab: Lab) -> None:
    """A sum without noise is found exactly."""
    job = fit(lab, "linear-sums", "linear-learner:1", "sums", predictor_type="regressor", feature_dim=3)
    assert measured(job)["validation:rmse"] == pytest.approx(0, abs=1e-6)
    scores = [item["score"] for item in ask(lab.service, serve(lab, job), body())["predictions"]]
    assert scores == pytest.approx(SUMS[:3].tolist())


@pytest.mark.long
def test_kmeans_clusters(lab: Lab) -> None:
    """Without labels; each row has its cluster and its distance."""
    job = fit(lab, "kmeans", "kmeans:1", "plain", "text/csv;label_size=0", k=4, feature_dim=3)
    distances = [
        item["distance_to_cluster"] for item in ask(lab.service, serve(lab, job), body(200))["predictions"]
    ]
    assert measured(job)["test:msd"] == pytest.approx(np.mean(np.square(distances)), rel=1e-4)


@pytest.mark.long
def test_pca_projects(lab: Lab) -> None:
    """Onto as many components as were asked for; all of them keep every distance."""
    job = fit(
        lab,
        "pca",
        "pca:1",
        "plain",
        "text/csv;label_size=0",
        num_components=3,
        feature_dim=3,
        mini_batch_size=9,
    )
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    found = np.array(
        [item["projection"] for item in ask(lab.service, serve(lab, job), body())["projections"]]
    )
    assert np.linalg.norm(found[0] - found[1]) == pytest.approx(np.linalg.norm(ROWS[0] - ROWS[1]))


@pytest.mark.long
def test_knn_asks_the_neighbours(lab: Lab) -> None:
    """The nearest neighbour of a row of the data is that row."""
    given: dict[str, Any] = {"k": 1, "sample_size": 200, "feature_dim": 3, "predictor_type": "classifier"}
    job = fit(lab, "knn", "knn:1", "halves", **given)
    assert measured(job)["test:accuracy"] == 1.0
    answer = ask(lab.service, serve(lab, job), body())
    assert [item["predicted_label"] for item in answer["predictions"]] == HALVES[:3].tolist()


@pytest.mark.parametrize(
    ("image", "kind", "hyperparameters", "said"),
    [
        (
            "linear-learner:1",
            "application/x-recordio-protobuf",
            {"predictor_type": "regressor"},
            "is not read here",
        ),
        ("linear-learner:1", "text/csv", {}, "predictor_type is required"),
        (
            "xgboost:1",
            "text/csv",
            {"num_round": 5, "objective": "rank:ndcg"},
            "objective=rank:ndcg is not supported",
        ),
        ("xgboost:1", "text/csv", {"num_round": 5, "depth": 2}, "depth is not known"),
    ],
)
def test_what_is_not_there_fails_by_name(
    lab: Lab, image: str, kind: str, hyperparameters: dict[str, Any], said: str
) -> None:
    """The job's FailureReason says what to change."""
    name = f"wrong-{len(said)}"
    job = fit(lab, name, image, "sums", kind, **hyperparameters)
    assert (job["TrainingJobStatus"], said in job["FailureReason"]) == ("Failed", True)


@pytest.mark.parametrize(
    ("image", "hyperparameters", "said"),
    [
        ("blazingtext:1", {}, "blazingtext"),
        ("sagemaker-xgboost:1.7-1", {"sagemaker_program": "fit.py"}, "no script mode"),
    ],
)
def test_other_algorithms_are_refused_at_once(
    lab: Lab, image: str, hyperparameters: dict[str, str], said: str
) -> None:
    """No job is made."""
    with refused("ValidationException", said):
        fit(lab, "never", image, "sums", **hyperparameters)


def test_a_built_in_algorithm_is_tuned_by_its_own_metrics(lab: Lab) -> None:
    """No MetricDefinitions are given; a metric that is none of them is refused with their names."""
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://lab/halves"}}
    definition = {
        "StaticHyperParameters": {"predictor_type": "classifier", "feature_dim": "3", "sample_size": "200"},
        "AlgorithmSpecification": {"TrainingImage": f"{REGISTRY}/knn:1", "TrainingInputMode": "File"},
        "InputDataConfig": [
            {"ChannelName": channel, "DataSource": source, "ContentType": "text/csv"}
            for channel in ("train", "test")
        ],
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://lab/tuned"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }

    def config(metric: str) -> dict[str, Any]:
        return {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"MetricName": metric, "Type": "Maximize"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"IntegerParameterRanges": [{"Name": "k", "MinValue": "1", "MaxValue": "9"}]},
        }

    def tune(metric: str) -> None:
        lab.sagemaker.create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName="knn",
            HyperParameterTuningJobConfig=config(metric),
            TrainingJobDefinition=definition,
        )

    def ended() -> Any:
        seen = lab.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="knn")
        return None if seen["HyperParameterTuningJobStatus"] == "InProgress" else seen

    with refused("ValidationException", "validation:auc", "test:accuracy"):
        tune("validation:auc")
    tune("test:accuracy")
    seen = until(ended, "the end of the tuning job", 90)
    assert seen["TrainingJobStatusCounters"]["Completed"] == 2
    best = seen["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    assert best["MetricName"] == "test:accuracy"
    assert 0.8 < best["Value"] <= 1
