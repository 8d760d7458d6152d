"""What the files of a step's inputs must be, by the manifests of the steps that wrote them.

A job gets the list with its inputs and checks each file before it reads any, by `check_inputs` of
include/steps/contract.py. What runs outside a job reads a step's file by `read_output`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from include.core.documents.codec import D, digest
from include.core.documents.manifest import (
    RESTORE,
    InputFile,
    InputList,
    InputLists,
    KeyRecord,
    Manifest,
    OutputFile,
    files_digest,
)
from include.core.exceptions import InputChanged, OutputMissing
from include.core.layout import INPUT_LISTS, MANIFEST, NOT_LISTED, folder_of, is_s3, join_uri, split_uri
from include.core.objects import list_objects
from include.core.places import Place, Places, parse_place
from include.core.sagemaker.client import SageMaker, parse_document
from include.core.sagemaker.requests import StepInput
from include.core.steps import STEPS


def changed(uri: str, expected: str, actual: str) -> InputChanged:
    """Return the error about a file that is not what was written."""
    return InputChanged(f"{uri} has the SHA-256 {actual}; its manifest says {expected}. {RESTORE}")


# Manifests


def read_manifest(hook: SageMaker, folder: str, key: str) -> Manifest:
    """Return the manifest of an output.

    :raises OutputMissing: there is none for the key
    """
    manifest = hook.read_document(folder + MANIFEST, Manifest)
    if manifest is None or manifest.key != key:
        raise OutputMissing(f"{folder} has no manifest for the key {key}. Clear the task to redo it.")
    return manifest


def manifest_files(manifest: Manifest, folder: str, content: str = "") -> list[InputFile]:
    """Return the files that a manifest lists, once its list is known to be the one that was written.

    :param folder: the output's; for the error
    :param content: digest of the output as it was handed on; empty if nobody knows it
    :raises InputChanged: its list of files is another one
    """
    actual = files_digest(manifest.files)
    for expected in (manifest.digest, content):
        if expected and expected != actual:
            raise InputChanged(
                f"{folder}{MANIFEST} lists files whose digest is {actual}; it was {expected}. {RESTORE}"
            )
    return [InputFile(name=file.name, bytes=file.bytes, sha256=file.sha256) for file in manifest.files]


def record_output(hook: SageMaker, folder: str, record: KeyRecord) -> Manifest:
    """Return the manifest of what SageMaker, not the job, put into a folder; write it if there is none."""
    if hook.read(folder + MANIFEST) is None:
        files = tuple(
            OutputFile(name=name, rows=None, bytes=size, sha256=_object_digest(hook, folder + name))
            for name, size in sorted(hook.sizes(folder).items())
        )
        manifest = Manifest(
            step=record.step,
            cycle=record.cycle,
            interval=record.interval,
            key=record.key,
            files=files,
            digest=files_digest(files),
            counts={},
            metrics={},
        )
        hook.put_document(folder + MANIFEST, manifest)
    return read_manifest(hook, folder, record.key)


def _written_files(hook: SageMaker, uri: str, content: str = "") -> list[InputFile] | None:
    """Return the files below a URI as manifests list them, by names below its folder; None without one."""
    place = parse_place(split_uri(uri)[1])
    if place is None or place.kind != "output":
        return None
    folder, below = _manifest_folder(uri, place)
    # version 0.1 wrote none beside models and answers
    if not _writes_manifest(place) and not hook.sizes(folder + MANIFEST):
        return None
    key = place.parts["key"]
    known = content if _is_digest(content) and content != key else ""
    files = manifest_files(read_manifest(hook, folder, key), folder, known)
    parent = below.rpartition("/")[0]
    names = len(f"{parent}/") if parent else 0
    return [replace(file, name=file.name[names:]) for file in files if file.name.startswith(below)]


def _writes_manifest(place: Place) -> bool:
    return place.parts["step"] not in STEPS or STEPS[place.parts["step"]].kind == "processing job"


def _manifest_folder(uri: str, place: Place) -> tuple[str, str]:
    """Return the folder with the manifest for what lies below a URI, and the rest of the URI.

    A processing job writes one for its whole output. A model's archive and answers have theirs beside them,
    since the job itself never sees the files that SageMaker makes of its output.
    """
    folder = uri.removesuffix(place.parts["file"]) if _writes_manifest(place) else folder_of(uri)
    return folder, uri.removeprefix(folder)


def _is_digest(text: str) -> bool:
    """Whether a text is a SHA-256, not a URI that stands for one."""
    return bool(text) and not is_s3(text)


def _object_digest(hook: SageMaker, uri: str) -> str:
    """Return the SHA-256 of an object, which is read piece by piece."""
    bucket, key = split_uri(uri)
    return hashlib.file_digest(hook.s3.get_object(Bucket=bucket, Key=key)["Body"], "sha256").hexdigest()


# For jobs


def put_input_lists(hook: SageMaker, places: Places, inputs: Mapping[str, StepInput]) -> str:
    """Write what the files of a job's inputs must be; return the folder of the document, or nothing.

    :raises InputChanged: a manifest is not the one that was written
    """
    if not inputs:
        return ""
    lists = InputLists(inputs={name: _input_list(hook, given) for name, given in inputs.items()})
    folder = places.input_lists(digest(lists.as_json()))
    hook.put_document(folder + INPUT_LISTS, lists)
    return folder


def _input_list(hook: SageMaker, given: StepInput) -> InputList:
    uri = given.source.uri
    if given.listed is not None:
        return given.listed
    if given.source.kind == "S3Prefix":
        return InputList(uri=folder_of(uri), files=tuple(_files_below(hook, uri, given.digest)))
    head, *names = json.loads(hook.read(uri) or b"[{}]")
    root = str(head["prefix"])
    folders = dict.fromkeys(folder_of(root + name) for name in names)
    listed = [
        replace(file, name=folder.removeprefix(root) + file.name)
        for folder in folders
        for file in _files_below(hook, folder)
    ]
    return InputList(uri=root, files=tuple(file for file in listed if file.name in set(names)))


def _files_below(hook: SageMaker, uri: str, content: str = "") -> list[InputFile]:
    """Return the files below a URI as they were written, or as they are where no manifest names them."""
    written = _written_files(hook, uri, content)
    if written is not None:
        return written
    bucket, prefix = split_uri(uri)
    place = parse_place(prefix)
    # the one document of such a folder names it by its digest
    sha256 = place.parts.get("digest") if place is not None else None
    return [
        InputFile(
            name=join_uri(bucket, item["Key"]).removeprefix(folder_of(uri)),
            bytes=int(item["Size"]),
            sha256=sha256,
            etag=None if sha256 else item["ETag"].strip('"'),
            modified=None if sha256 else item["LastModified"],
        )
        for item in list_objects(hook.s3, bucket, prefix)
        # SageMaker copies no marks of folders
        if not item["Key"].endswith("/")
    ]


# Outside of jobs


def check_objects(hook: SageMaker, uri: str, content: str = "") -> None:
    """Read all files below a URI once; files that no manifest lists pass.

    :param content: digest of the output, if it is known
    :raises InputChanged: one is not what was written
    """
    expected = _written_files(hook, uri, content)
    if expected is None:
        return
    folder = folder_of(uri)
    names = {file.name for file in expected}
    present = {
        name for name in hook.sizes(folder) if (folder + name).startswith(uri) and name not in NOT_LISTED
    }
    if names != present:
        raise InputChanged(
            f"{uri} holds other files than were written: {', '.join(sorted(names ^ present))}. {RESTORE}"
        )
    for file in expected:
        actual = _object_digest(hook, folder + file.name)
        if actual != file.sha256:
            raise changed(folder + file.name, str(file.sha256), actual)


def read_output(hook: SageMaker, uri: str, content: str = "") -> bytes | None:
    """Return a file of an output; None if there is none.

    :param content: digest of the output, if it is known
    :raises InputChanged: it is not what the step wrote
    """
    body = hook.read(uri)
    expected = None if body is None else _written_files(hook, uri, content)
    if body is None or expected is None:
        return body
    written = {file.name: str(file.sha256) for file in expected}.get(uri.rpartition("/")[2], "nothing of it")
    actual = hashlib.sha256(body).hexdigest()
    if written != actual:
        raise changed(uri, written, actual)
    return body


def read_output_document(hook: SageMaker, uri: str, kind: type[D], content: str = "") -> D | None:
    """Return a document of an output; None if there is none.

    :raises InputChanged: see `read_output`
    """
    body = read_output(hook, uri, content)
    return None if body is None else parse_document(uri, body, kind)
