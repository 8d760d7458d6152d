"""Which model scores an interval: the one that was in production when it began."""
# ruff: noqa: ANN401 - the service's test class has no types

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from flywheel.operators import BatchTransformOperator, MonitorOperator
from flywheel.operators.monitoring import champion_of
from include.core.cycle import Cycle
from include.core.documents.ledger import Entry
from include.core.documents.manifest import Manifest, OutputFile, files_digest
from include.core.exceptions import InputChanged, NoChampion
from include.core.layout import MANIFEST, Interval, split_uri
from include.core.places import Places
from include.core.sagemaker.inputs import put_input_lists
from include.core.settings import Settings
from tests.examples import step_result

KEY = "ab" * 32


def month(number: int) -> Interval:
    """One month of 2013."""
    return Interval(datetime(2013, number, 1, tzinfo=UTC), datetime(2013, number + 1, 1, tzinfo=UTC))


def promote(operator: Any, number: int, **given: Any) -> None:
    """Promote a model of the data up to and including a month."""
    entry = Entry(
        kind="decision",
        at=datetime(2013, 1, 1, tzinfo=UTC),
        by={},
        interval=month(number),
        key="k",
        model_uri=f"s3://b/{number}/model.tar.gz",
        transform_uri="s3://b/t/",
        evaluation_uri=f"s3://b/{number}/",
        data_end=month(number).end,
        verdict=None,
        reasons=(),
    )
    entry = replace(entry, **given)
    decision = operator.ledger.decide(entry)
    operator.ledger.promote(Entry(**{**vars(entry), "kind": "promotion", "version": "arn"}), decision)


@pytest.fixture
def operator(cycle: Cycle, installed: Settings) -> BatchTransformOperator:
    """The operator that scores, with an empty ledger."""
    made = BatchTransformOperator(task_id="batch_transform", cycle=cycle)
    assert made.settings == installed
    return made


def test_the_champion_has_seen_nothing_of_the_interval(operator: BatchTransformOperator) -> None:
    """A model of the interval's own data is promoted already, but was not when the interval began."""
    for number in (1, 2, 3):
        promote(operator, number)
    assert champion_of(operator, month(3)).model_uri == "s3://b/2/model.tar.gz"


def test_the_first_interval_is_skipped(operator: BatchTransformOperator) -> None:
    """Nothing can have been trained before it."""
    promote(operator, 1)
    with pytest.raises(AirflowSkipException, match=str(month(1))):
        champion_of(operator, month(1))


def test_a_later_interval_without_a_champion_fails_with_what_to_run(operator: BatchTransformOperator) -> None:
    """Somebody forgot to train."""
    promote(operator, 3)
    with pytest.raises(NoChampion, match="flights_train_and_deploy"):
        champion_of(operator, month(3))


def write_output(operator: Any, uri: str, step: str, body: bytes) -> str:
    """Write an output of one file, with its manifest; return its digest."""
    name = "baseline/statistics.json" if step == "transform" else "monitoring.json"
    files = (OutputFile(name=name, rows=None, bytes=len(body), sha256=hashlib.sha256(body).hexdigest()),)
    manifest = Manifest(
        step=step,
        cycle="flights",
        interval=month(1),
        key=KEY,
        files=files,
        digest=files_digest(files),
        counts={},
        metrics={},
    )
    bucket, folder = split_uri(uri)
    for file, content in ((name, body), (MANIFEST, json.dumps(manifest.as_json()).encode())):
        operator.hook.s3.put_object(Bucket=bucket, Key=folder + file, Body=content)
    return manifest.digest


@pytest.mark.parametrize(("changed", "name"), [("transform", "baseline"), ("evaluate", "evaluated")])
@pytest.mark.parametrize("promoted_by", ["0.1.0", "0.2.0"])
def test_a_window_is_compared_with_what_was_promoted(
    operator: Any, attempt: Any, changed: str, name: str, promoted_by: str
) -> None:
    """A file and its manifest were replaced since; the ledger has the digest, but for what 0.1.0 promoted."""
    monitor = MonitorOperator(task_id="monitor", cycle=operator.cycle)
    places = Places(operator.settings.bucket, operator.cycle.name)
    uris = {step: places.output(step, month(1), KEY) for step in ("transform", "evaluate")}
    digests = {step: write_output(operator, uri, step, b"{}") for step, uri in uris.items()}
    known = {f"{step.replace('evaluate', 'evaluation')}_uri": uri for step, uri in uris.items()}
    if promoted_by == "0.2.0":
        known |= {"transform_digest": digests["transform"], "evaluation_digest": digests["evaluate"]}
    promote(operator, 1, **known)
    context = attempt("run", interval_start="2013-02-01")
    for step in ("prepare", "batch_transform", "collect"):
        context.results[step] = step_result(step)
    given = monitor.step_inputs(context, month(2)).inputs
    champion = {name: given[name] for name in ("baseline", "evaluated")}
    assert put_input_lists(operator.hook, places, champion)
    write_output(operator, uris[changed], changed, b"[]")
    if promoted_by == "0.2.0":
        with pytest.raises(InputChanged, match=rf"{uris[changed]}manifest\.json .* {digests[changed]}"):
            put_input_lists(operator.hook, places, {name: champion[name]})
    else:
        assert put_input_lists(operator.hook, places, champion)
