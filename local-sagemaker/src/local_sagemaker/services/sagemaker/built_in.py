"""AWS's built-in algorithms by their image URIs: which are answered here, and what each one measures."""

from __future__ import annotations

import re
from typing import Any

from local_sagemaker.errors import ValidationException

#: `<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>`
URI = re.compile(
    r"(?P<registry>\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/)?(?P<name>[a-z0-9-]+):.+"
)
XGBOOST = ("xgboost", "sagemaker-xgboost")
_BOOSTING = ("rmse", "mae", "auc", "logloss", "error", "merror", "mlogloss")
_LINEAR = (
    *("objective_loss", "mse", "rmse", "absolute_loss", "r2", "binary_classification_accuracy"),
    *("binary_f_beta", "precision", "recall", "roc_auc_score", "multiclass_accuracy", "macro_f_beta"),
)
#: name in the URI -> the metrics, as <channel>:<metric>
METRICS: dict[str, tuple[str, ...]] = {
    **{name: tuple(f"{at}:{one}" for at in ("train", "validation") for one in _BOOSTING) for name in XGBOOST},
    "linear-learner": tuple(f"{at}:{one}" for at in ("train", "validation", "test") for one in _LINEAR),
    "kmeans": tuple(f"{at}:{one}" for at in ("train", "test") for one in ("msd", "ssd")),
    "knn": ("test:accuracy", "test:mse"),
    "pca": (),
}
#: built-in algorithms that nothing here is an equivalent of
MISSING = frozenset(
    {
        *(
            "blazingtext",
            "factorization-machines",
            "forecasting-deepar",
            "image-classification",
            "ipinsights",
        ),
        *("lda", "ntm", "object2vec", "object-detection", "randomcutforest", "semantic-segmentation"),
        "seq2seq",
    }
)


def prepare(parameters: dict[str, Any]) -> None:
    """Give a request for a built-in algorithm its metrics; ValidationException for one that is not there."""
    algorithm = parameters["AlgorithmSpecification"]
    found = URI.fullmatch(algorithm["TrainingImage"])
    name = found["name"] if found else ""
    if found and found["registry"] and name in MISSING:
        raise ValidationException(
            f"The built-in algorithm {name} is not emulated. There are {', '.join(sorted(METRICS))}; another "
            "one runs if you describe its image in an image.toml under a name of your own."
        )
    if name not in METRICS:
        return
    if name in XGBOOST and "sagemaker_program" in parameters.get("HyperParameters", {}):
        raise ValidationException(
            f"The image {name} has no script mode here: xgboost is not installed. Use it as an algorithm, or "
            "describe an environment that has xgboost in an image.toml."
        )
    if METRICS[name]:
        algorithm["MetricDefinitions"] = [_definition(name, metric) for metric in METRICS[name]]


def _definition(name: str, metric: str) -> dict[str, str]:
    channel, _, word = metric.partition(":")
    if name in XGBOOST:
        regex = rf"\[[0-9]+\].*\t{channel}-{word}:(\S+)"
    else:
        regex = rf"#quality_metric: host=\S+, {channel} {word} <(?:loss|score)>=(\S+)"
    return {"Name": metric, "Regex": regex}
