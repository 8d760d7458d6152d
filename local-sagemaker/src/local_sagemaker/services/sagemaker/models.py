"""Models: CreateModel, DescribeModel, ListModels, DeleteModel."""

from __future__ import annotations

from typing import Any

from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.model_packages import PACKAGES
from local_sagemaker.services.sagemaker.resources import ResourceType

MODELS = ResourceType(
    noun="Model",
    kind="model",
    missing='Could not find model "{arn}".',
    taken='Cannot create already existing model "{arn}".',
)
IGNORED = (
    *("ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation", "InferenceExecutionConfig"),
    *("PrimaryContainer.ImageConfig", "PrimaryContainer.InferenceSpecificationName"),
)

MODELS.serve_describe("Answer with a model's containers.")
MODELS.serve_list("Answer with one page of models.")
MODELS.serve_delete("Forget a model; what is made of it goes on.")


@operation("sagemaker", "CreateModel", ignored=IGNORED)
def create_model(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep what an endpoint or a batch transform is to run: image, model data, environment."""
    document = dict(parameters)
    if ("PrimaryContainer" in document) == ("Containers" in document):
        raise ValidationException("Give either PrimaryContainer or Containers.")
    if "PrimaryContainer" in document:
        document["PrimaryContainer"] = _complete(context, document["PrimaryContainer"])
    else:
        document["Containers"] = [_complete(context, container) for container in document["Containers"]]
    return MODELS.create(context, parameters, document)


def _complete(context: Context, container: dict[str, Any]) -> dict[str, Any]:
    """Return a container, completed from its model package if it names one."""
    if "ModelPackageName" in container:
        package = PACKAGES.find(context, container["ModelPackageName"])
        specification = package.document.get("InferenceSpecification")
        if specification is None:
            raise ValidationException(f"{package.arn} has no InferenceSpecification to make a model of.")
        return {**specification["Containers"][0], **container, "ModelPackageName": package.arn}
    if "Image" not in container:
        raise ValidationException("A container needs an Image or a ModelPackageName.")
    return container
