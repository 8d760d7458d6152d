"""The documents as a whole: their page, their schemas, and what the first version wrote."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from include.core import layout
from include.core.documents.card import ModelCard
from include.core.documents.codec import Document, canonical
from include.core.documents.data import (
    ConstraintViolations,
    Distribution,
    Distributions,
    FeatureDistribution,
    TableQuality,
)
from include.core.documents.ledger import Entry
from include.core.documents.manifest import KeyRecord, Manifest
from include.core.documents.model import (
    Bins,
    Evaluation,
    Histogram,
    ModelSignature,
    MonitoringBaseline,
    TrainingReport,
    Verdict,
)
from include.core.documents.monitoring import Evidence, WatchRecord
from include.core.documents.reports import Coverage, ReplayInput, ReportInput
from include.core.documents.retraining import RetrainingDecision
from include.core.exceptions import InvalidDocument
from include.core.steps import STEPS
from tools.document_schema import schema
from tools.documents import EVERY, PAGE, example, render_page

#: files in a form of SageMaker Model Monitor, which include/ml/monitoring alone makes and takes apart
MODEL_MONITORS = {layout.STATISTICS, layout.CONSTRAINTS, layout.MODEL_QUALITY}
STATE = Path(__file__).parents[2] / "state/version-1/sagemaker.tar.xz"
#: what the documents of the fixture are, by their keys below the cycle's
KINDS: dict[str, type[Document]] = {
    r"ledger/\d+\.json": Entry,
    r"keys/\w+\.json": KeyRecord,
    r"\w+/[\d_-]+/\w+/manifest\.json": Manifest,
    r"clean/.*/quality\.json": TableQuality,
    r"evaluate/.*/model_card\.json": ModelCard,
    r"evaluate/.*/verdict\.json": Verdict,
    r"evaluate/.*/evaluation\.json": Evaluation,
    r"evaluate/.*/monitoring\.json": MonitoringBaseline,
    r"monitor/.*/evidence\.json": Evidence,
    r"monitor/.*/distributions\.json": Distributions,
    r"monitor/.*/constraint_violations\.json": ConstraintViolations,
    r"collect/.*/coverage\.json": Coverage,
    r"watch/[\d_-]+/\w+\.json": WatchRecord,
    r"watch/[\d_-]+/decisions/\w+\.json": RetrainingDecision,
    r"(?:report-inputs|stories)/.*\.json": ReportInput,
    r"replays/.*\.json": ReplayInput,
    r"train/.*/signature\.json": ModelSignature,
    r"train/.*/metrics\.json": TrainingReport,
}


def members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Yield the files of an archive with their content, and those of a model inside it."""
    for member in archive:
        file = archive.extractfile(member) if member.isfile() else None
        if file is None:
            continue
        content = file.read()
        yield member.name, content
        if member.name.endswith("model.tar.gz"):
            with tarfile.open(fileobj=io.BytesIO(content)) as model:
                yield from ((f"{member.name}/{name}", inner) for name, inner in members(model))


@pytest.fixture(scope="module")
def kept() -> list[tuple[type[Document], str, Any]]:
    """Return every document of the fixture with its kind and its key."""
    found = []
    with tarfile.open(STATE) as archive:
        for name, content in members(archive):
            below = re.sub(r"^(\./)?s3/flywheel/digits/", "", name)
            kind = next((each for shape, each in KINDS.items() if re.fullmatch(shape, below)), None)
            if kind is not None:
                value = json.loads(content)
                parts = value.values() if kind is TableQuality else (value,)
                found += [(kind, below, part) for part in parts]
    return found


def test_every_kind_is_in_the_state_of_version_1(kept: list[tuple[type[Document], str, Any]]) -> None:
    """The fixture holds one of each that its run wrote."""
    assert {kind for kind, _, _ in kept} == set(KINDS.values())


def test_what_version_1_wrote_is_read_and_written_alike(kept: list[tuple[type[Document], str, Any]]) -> None:
    """Digests are over what is written: a document that is read and written keeps its canonical JSON."""
    changed = [
        name for kind, name, value in kept if canonical(kind.from_json(value).as_json()) != canonical(value)
    ]
    assert changed == []


def test_what_version_1_wrote_fits_the_schemas(kept: list[tuple[type[Document], str, Any]]) -> None:
    """The schemas tell other programs what is there."""
    wrong = [
        (name, error.message)
        for kind, name, value in kept
        for error in Draft202012Validator(schema(kind)).iter_errors(value)
    ]
    assert wrong == []


def test_the_key_of_version_1_follows_from_its_record(kept: list[tuple[type[Document], str, Any]]) -> None:
    """A record that is read has the key that names it."""
    records = [
        (Path(name).stem, KeyRecord.from_json(value).key) for kind, name, value in kept if kind is KeyRecord
    ]
    assert records == [(stem, stem) for stem, _ in records]


def test_a_decided_card_says_what_it_said_and_who_decided(
    kept: list[tuple[type[Document], str, Any]],
) -> None:
    """Only the model's place and two details are added to what evaluate wrote."""
    entries = [Entry.from_json(value) for kind, _, value in kept if kind is Entry]
    cards = [value for kind, _, value in kept if kind is ModelCard]
    for entry, value in product(entries, cards):
        decided = ModelCard.from_json(value).decided(entry).as_json()
        assert decided["model_overview"].pop("model_artifact") == [entry.model_uri]
        details = decided["additional_information"]["custom_details"]
        assert details.pop("decided at") == entry.at.isoformat()
        assert details.pop("decided by") == f"{entry.by['dag_id']}, {entry.by['run_id']}"
        assert decided == value
    assert entries
    assert cards


@pytest.mark.parametrize(
    ("kind", "value", "lacking"),
    [
        (Histogram, {"kind": "number", "counts": (1,), "values": ("a",)}, "edges"),
        (Histogram, {"kind": "text", "counts": (1,), "edges": (0.0, 1.0)}, "values"),
        (Distribution, {"kind": "number", "baseline": (1.0,), "current": (1.0,)}, "edges"),
        (FeatureDistribution, {"name": "x", "kind": "text", "baseline": (1.0,), "current": (1.0,)}, "values"),
    ],
)
def test_bins_without_what_they_stand_over_are_refused(
    kind: type[Bins], value: dict[str, Any], lacking: str
) -> None:
    """Which of the two fields is required depends on the kind."""
    with pytest.raises(InvalidDocument) as refusal:
        kind(**value)
    assert {kind.__name__, f"{lacking}."} <= set(str(refusal.value).split())


def test_every_json_file_is_a_document_or_has_another_services_form() -> None:
    """What a step writes and another reads is described once, by a type that names its file."""
    files = {name for name in vars(layout).values() if isinstance(name, str) and name.endswith(".json")}
    written = {name.rpartition("/")[2] for row in STEPS.values() for name in row.outputs}
    described = {name for kind in EVERY for name in re.findall(r"\w+\.json", kind.__doc__ or "")}
    assert {name for name in files | written if name.endswith(".json")} - described == MODEL_MONITORS


@pytest.mark.parametrize("kind", EVERY)
def test_an_example_fits_its_schema_and_its_type(kind: type[Document]) -> None:
    """The page's examples are documents."""
    value = example(kind, "")
    Draft202012Validator.check_schema(schema(kind))
    assert list(Draft202012Validator(schema(kind)).iter_errors(value)) == []
    assert kind.from_json(value).as_json() == value


@pytest.mark.parametrize("kind", EVERY)
def test_a_schema_refuses_what_the_type_refuses(kind: type[Document]) -> None:
    """A document without a required field is none."""
    assert list(Draft202012Validator(schema(kind)).iter_errors({}))


def test_the_page_is_what_the_documents_are() -> None:
    """`python tools/documents.py` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == render_page()
