"""Puts a model's artifact where its container expects it: model.tar.gz, unpacked, in /opt/ml/model."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.engine.processes import channels
from local_sagemaker.errors import ValidationException
from local_sagemaker.storage.archives import UnsafeArchiveError, extract
from local_sagemaker.storage.objects.objects import ObjectStore
from local_sagemaker.storage.store import Resource


class ModelDataError(Exception):
    """The artifact is missing, damaged, or tries to write outside its folder."""


def definition_of(context: Service, model_name: str) -> dict[str, Any]:
    """The container definition of a model; ValidationException in AWS's words if there is none."""
    model: Resource | None = context.store.get("model", model_name)
    if model is None:
        arn = context.arn("sagemaker", f"model/{model_name}")
        raise ValidationException(f'Could not find model "{arn}".')
    containers = model.document.get("Containers") or [model.document.get("PrimaryContainer")]
    if len(containers) != 1 or not containers[0]:
        raise ValidationException(
            f"Model {model_name} has {len(containers)} containers; the local SageMaker runs models of one."
        )
    definition: dict[str, Any] = containers[0]
    return definition


def place(definition: Mapping[str, Any], objects: ObjectStore, folder: Path) -> None:
    """Fill `folder` with the artifact of a container definition, if it has one.

    It is named by ModelDataUrl or ModelDataSource. The folder holds just that afterwards, whatever an earlier
    attempt left in it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = definition.get("ModelDataSource", {}).get("S3DataSource", {})
    url = definition.get("ModelDataUrl") or source.get("S3Uri")
    if not url:
        return
    bucket, _, key = url.partition("://")[2].partition("/")
    if source.get("S3DataType") == "S3Prefix":
        _copy_prefix(objects, url, folder)
    elif source.get("CompressionType") == "None":
        shutil.copyfile(_file(objects, bucket, key), folder / Path(key).name)
    else:
        unpack(_file(objects, bucket, key), folder, url)


def unpack(archive: Path, folder: Path, name: str) -> None:
    """Unpack a tar archive; no member may leave `folder`, be a device, or bring set-user-id bits.

    :param name: what the archive is called in errors.
    """
    try:
        with tarfile.open(archive) as opened:
            extract(opened, folder)
    except UnsafeArchiveError as error:
        raise ModelDataError(
            f"The model archive {name} is refused: {error}. Pack the model with paths below its own folder."
        ) from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelDataError(
            f"Cannot unpack the model archive {name}: {error}. It must be a whole .tar.gz; upload it again."
        ) from error


def _file(objects: ObjectStore, bucket: str, key: str) -> Path:
    found = objects.find(bucket, key) if objects.has_bucket(bucket) else None
    if found is None:
        raise ModelDataError(
            f"Could not find model data at s3://{bucket}/{key}. Check the ModelDataUrl of the model, and "
            "that the training job that writes it has completed."
        )
    return found.path


def _copy_prefix(objects: ObjectStore, url: str, folder: Path) -> None:
    source = channels.Source("the model", url)
    for item in channels.find(source, objects):
        target = folder / item.relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.info.path, target)
