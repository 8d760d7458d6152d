"""Models: CreateModel, DescribeModel, ListModels, DeleteModel."""

from __future__ import annotations

import time
from typing import Any

from local_sagemaker.errors import ValidationException
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker import model_packages
from local_sagemaker.services.sagemaker.resources import create as create_resource
from local_sagemaker.services.sagemaker.resources import listed
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.store import Resource

KIND = "model"
IGNORED = (
    *("ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation", "InferenceExecutionConfig"),
    *("PrimaryContainer.ImageConfig", "PrimaryContainer.InferenceSpecificationName"),
)


@operation("sagemaker", "CreateModel", ignored=IGNORED)
def create_model(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep what an endpoint or a batch transform is to run: image, model data, environment."""
    name, now = parameters["ModelName"], time.time()
    arn = context.arn("sagemaker", f"model/{name}")
    document = {key: value for key, value in parameters.items() if key != "Tags"}
    if ("PrimaryContainer" in document) == ("Containers" in document):
        raise ValidationException("Give either PrimaryContainer or Containers.")
    if "PrimaryContainer" in document:
        document["PrimaryContainer"] = _complete(context, document["PrimaryContainer"])
    else:
        document["Containers"] = [_complete(context, container) for container in document["Containers"]]
    document |= {"ModelArn": arn, "CreationTime": moment(now)}
    resource = Resource(kind=KIND, name=name, arn=arn, created=now, modified=now, document=document)
    taken = ValidationException(f'Cannot create already existing model "{arn}".')
    create_resource(context, resource, parameters, taken)
    return {"ModelArn": arn}


@operation("sagemaker", "DescribeModel")
def describe_model(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with a model's containers."""
    return find(context, parameters["ModelName"]).document


@operation("sagemaker", "ListModels")
def list_models(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of models."""
    found, token = listed(context, KIND, parameters)
    models = [
        {"ModelName": model.name, "ModelArn": model.arn, "CreationTime": moment(model.created)}
        for model in found
    ]
    return {"Models": models, "NextToken": token}


@operation("sagemaker", "DeleteModel")
def delete_model(context: Context, parameters: dict[str, Any]) -> None:
    """Forget a model; what is made of it goes on."""
    find(context, parameters["ModelName"])
    context.store.delete(KIND, parameters["ModelName"])


def find(context: Context, name: str) -> Resource:
    """Return a model by name."""
    found = context.store.get(KIND, name)
    if found is None:
        arn = context.arn("sagemaker", f"model/{name}")
        raise ValidationException(f'Could not find model "{arn}".')
    return found


def _complete(context: Context, container: dict[str, Any]) -> dict[str, Any]:
    """Return a container, completed from its model package if it names one."""
    if "ModelPackageName" in container:
        package = model_packages.find(context, container["ModelPackageName"])
        specification = package.document.get("InferenceSpecification")
        if specification is None:
            raise ValidationException(f"{package.arn} has no InferenceSpecification to make a model of.")
        return {**specification["Containers"][0], **container, "ModelPackageName": package.arn}
    if "Image" not in container:
        raise ValidationException("A container needs an Image or a ModelPackageName.")
    return container
