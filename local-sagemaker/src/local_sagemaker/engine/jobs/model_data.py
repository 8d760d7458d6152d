"""The artifact of a model: model.tar.gz or an S3 prefix, unpacked into /opt/ml/model of its container."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_sagemaker.base import Service
from local_sagemaker.engine.jobs import channels
from local_sagemaker.errors import ValidationException
from local_sagemaker.storage.archives import UnsafeArchiveError, extract
from local_sagemaker.storage.objects.objects import ObjectStore
from local_sagemaker.storage.store import Resource


class ModelDataError(Exception):
    """The artifact is missing, damaged, or would write outside of its folder."""


def container_definition(service: Service, model_name: str) -> dict[str, Any]:
    """Return the container definition of a model; raise ValidationException if there is no such model."""
    model: Resource | None = service.store.get("model", model_name)
    if model is None:
        arn = service.arn("sagemaker", f"model/{model_name}")
        raise ValidationException(f'Could not find model "{arn}".')
    containers = model.document.get("Containers") or [model.document.get("PrimaryContainer")]
    if len(containers) != 1 or not containers[0]:
        raise ValidationException(
            f"Model {model_name} has {len(containers)} containers; the local SageMaker runs models of one."
        )
    definition: dict[str, Any] = containers[0]
    return definition


def install_model_data(definition: Mapping[str, Any], objects: ObjectStore, folder: Path) -> None:
    """Fill `folder` with the artifact that a container definition names, if it names one.

    ModelDataUrl or ModelDataSource names it. The folder is emptied first: an earlier attempt may have left
    files in it.
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
        shutil.copyfile(_stored_file(objects, bucket, key), folder / Path(key).name)
    else:
        unpack_model(_stored_file(objects, bucket, key), folder, url)


def unpack_model(archive: Path, folder: Path, name: str) -> None:
    """Unpack a tar archive; no member may leave `folder`, be a device, or bring set-user-id bits.

    :param name: what errors call the archive.
    """
    try:
        with tarfile.open(archive) as tar:
            extract(tar, folder)
    except UnsafeArchiveError as error:
        raise ModelDataError(
            f"The model archive {name} is refused: {error}. Pack the model with paths below its own folder."
        ) from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelDataError(
            f"Cannot unpack the model archive {name}: {error}. It must be a whole .tar.gz; upload it again."
        ) from error


def _stored_file(objects: ObjectStore, bucket: str, key: str) -> Path:
    stored = objects.find(bucket, key) if objects.has_bucket(bucket) else None
    if stored is None:
        raise ModelDataError(
            f"Could not find model data at s3://{bucket}/{key}. Check the ModelDataUrl of the model, and "
            "that the training job that writes it has completed."
        )
    return stored.path


def _copy_prefix(objects: ObjectStore, url: str, folder: Path) -> None:
    source = channels.Source("the model", url)
    for item in channels.find(source, objects):
        target = folder / item.relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.info.path, target)
