"""The manifest of a step's output, and the record of what went into its key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from include.core.documents.codec import OMIT_NONE, Document, digest
from include.core.layout import Interval

#: what to do about a file that is not the one that was written
RESTORE = (
    "Something has changed the bucket since. Restore the object's version that was written, or make it anew: "
    "run the step that writes it with the param `force`. A retry changes nothing."
)


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """One file of a model."""

    #: path below the folder of the manifest
    name: str
    #: [bytes] size
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class OutputFile(ModelFile):
    """One file of an output."""

    #: [rows] null for a file that is no Parquet table
    rows: int | None


def files_digest(files: Iterable[ModelFile]) -> str:
    """Return the digest of an output's content, over the names and digests of its files."""
    return hashlib.sha256("".join(f"{file.name} {file.sha256}\n" for file in files).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class ModelManifest(Document):
    """What a training job wrote: `manifest.json` of the model's archive."""

    step: str
    cycle: str
    interval: Interval
    #: the step's key
    key: str
    files: tuple[ModelFile, ...]


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """Where the rows of one raw table came from."""

    #: the table's name in schema.py
    table: str
    #: the file's address, or `python:` and the module whose function gave the rows
    uri: str
    #: [rows] that were read
    rows: int
    #: of the file as it was read, or of the module
    sha256: str
    #: [bytes] size of the file or the module
    bytes: int
    #: the mark that S3 or a web server gave the content
    etag: str | None = field(default=None, metadata=OMIT_NONE)
    #: when the file was last written, as its store says
    modified: datetime | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class Manifest(ModelManifest):
    """What a processing job wrote: `manifest.json`, its last file."""

    files: tuple[OutputFile, ...]
    #: SHA-256 over the sorted names and digests of the files; a later step's key takes it in
    digest: str
    #: [rows] rows_in is the sum of all the others
    counts: Mapping[str, int]
    #: what the step measured
    metrics: Mapping[str, float | None]
    #: of fetch, where each table came from; missing in what 0.1.0 wrote
    sources: tuple[SourceFile, ...] | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """One file that a job is given."""

    #: path below the input's folder
    name: str
    #: [bytes] size
    bytes: int
    #: as the manifest of the step that wrote it says; missing for a file that no manifest names
    sha256: str | None = field(default=None, metadata=OMIT_NONE)
    #: S3's own mark of the content, for a file that no manifest names
    etag: str | None = field(default=None, metadata=OMIT_NONE)
    #: when such a file was last written
    modified: datetime | None = field(default=None, metadata=OMIT_NONE)


@dataclass(frozen=True, kw_only=True)
class InputList:
    """What one input of a job must be, file by file."""

    #: folder that the files are copied from
    uri: str
    files: tuple[InputFile, ...]


@dataclass(frozen=True, kw_only=True)
class InputLists(Document):
    """What a job is given: `inputs.json`, by which the job checks every file before it reads any."""

    #: by the names of the inputs
    inputs: Mapping[str, InputList]


@dataclass(frozen=True, kw_only=True)
class KeyRecord(Document):
    """What goes into a step's key: `<cycle>/keys/<key>.json`, so that two keys can be compared."""

    step: str
    cycle: str
    interval: Interval
    #: digest of the step's code and the cycle's package
    code: str
    #: content digests of the inputs, by name
    inputs: Mapping[str, str]
    #: the step's own parameters, by name
    parameters: Mapping[str, str]
    #: digest of requirements.txt
    environment: str
    threads: int
    #: `<dag>/<run>/<clearing>` of the task that forced its job; missing without one
    forced_by: str | None = field(default=None, metadata=OMIT_NONE)

    @property
    def key(self) -> str:
        """Return the step's key, 64 hex digits."""
        return digest(self.as_json())
