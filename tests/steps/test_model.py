"""Training, evaluation and serving, run as a container runs them, agree with one another."""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.core.documents.model import Evaluation, TrainingReport, Verdict
from include.cycles.flights import features
from include.ml.exceptions import InvalidInput
from include.steps.evaluate import read_trained
from include.steps.rows import read_rows
from include.steps.serving import inference, model_files
from include.steps.serving.payload import CSV, JSON, JSON_LINES, parse_body
from tests.examples import not_none
from tests.steps import model_side as side

HOLDOUT = side.flights(300, seed=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base directory of a finished training job."""
    base = tmp_path_factory.mktemp("train")
    code, log = side.train(base, side.flights(1500), side.flights(300, seed=1))
    assert code == 0, log
    (base / "log").write_text(log)
    return base


@pytest.fixture(scope="module")
def evaluated(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an evaluation with the challenger as its own champion."""
    base = tmp_path_factory.mktemp("evaluate")
    code, log = side.evaluate(base, HOLDOUT, challenger=trained / "model", champion=trained / "model")
    assert code == 0, log
    return base / "processing/output"


@pytest.fixture(scope="module")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Process id and port of a server of the trained model, with the code that is beside the model."""
    base = tmp_path_factory.mktemp("serve")
    (base / "model").symlink_to(trained / "model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = side.start(base, "serve", SAGEMAKER_BIND_TO_PORT=str(port), FLYWHEEL_SERVE_HOST="127.0.0.1")
    try:
        wait_for(port)
        yield process.pid, port
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def connection(server: tuple[int, int]) -> Iterator[HTTPConnection]:
    """A connection to the server."""
    client = HTTPConnection("127.0.0.1", server[1], timeout=30)
    yield client
    client.close()


def wait_for(port: int) -> None:
    """Wait until something listens at the port."""
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("The server did not start within 30 s.")


def ask(client: HTTPConnection, body: bytes, kind: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers of one invocation."""
    client.request("POST", "/invocations", body, {"Content-Type": kind, **headers})
    response = client.getresponse()
    return response.status, response.read().decode(), {k.lower(): v for k, v in response.getheaders()}


def instances() -> list[dict[Hashable, Any]]:
    """The holdout's rows as a client sends them."""
    frame = HOLDOUT[list(features.SIGNATURE)].astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


def as_csv() -> bytes:
    """The holdout's rows as the batch files hold them."""
    return HOLDOUT[list(features.SIGNATURE)].to_csv(header=False, index=False).encode()


def test_a_model_carries_all_that_serving_needs(trained: Path) -> None:
    """The model directory has the promised files, all in the manifest, and the log the metrics."""
    names = model_files.check_manifest(trained / "model")
    promised = {
        "model.skops",
        "model.onnx",
        "signature.json",
        "metrics.json",
        model_files.CONSTANT,
        model_files.LINEAR,
    }
    assert promised <= names
    assert "code/include/steps/serve.py" in names
    assert "validation_roc_auc=0." in (trained / "log").read_text().splitlines()[-1]


def test_the_threshold_is_the_one_out_of_fold_with_its_interval(trained: Path) -> None:
    """What is served, what is reported, and what it rests on are one."""
    report = TrainingReport.from_text((trained / "model/metrics.json").read_text())
    point = not_none(report.operating_point)
    assert inference.read_model(trained / "model").signature.threshold == point.threshold.value
    assert not_none(point.threshold.low) <= not_none(point.threshold.value) <= not_none(point.threshold.high)
    assert (point.folds, point.rows) == (3, 1500)


def test_the_evaluation_tells_how_clients_are_answered(evaluated: Path) -> None:
    """Challenger and champion at their thresholds, and the confusion matrix, in documents and report."""
    evaluation = Evaluation.from_text((evaluated / "evaluation.json").read_text())
    verdict = Verdict.from_text((evaluated / "verdict.json").read_text())
    rates, matrix = not_none(evaluation.operating)["challenger"], not_none(verdict.confusion)
    assert matrix == evaluation.registered["confusion_matrix"]
    assert rates["accuracy"] == evaluation.models["challenger"]["accuracy"]
    assert rates["missed_share"].value == pytest.approx(matrix["1"]["0"] / sum(matrix["1"].values()))
    assert not_none(verdict.operating)["accuracy"].value == 0.0
    assert (
        not_none(evaluation.thresholds)["challenger"] == not_none(evaluation.operating_point).threshold.value
    )
    page = (evaluated / "report.html").read_text()
    assert "Answers at the threshold" in page
    assert "answered 1" in page


def test_all_paths_predict_alike_row_by_row(
    trained: Path, connection: HTTPConnection, tmp_path: Path
) -> None:
    """The pipeline as trained, ONNX, CSV rows and JSON rows over HTTP give the same score for every row."""
    side.write_part(tmp_path / "holdout", HOLDOUT)
    columns = read_rows(tmp_path / "holdout", features).columns
    skops = inference.read_model(trained / "model", prefer_onnx=False)
    onnx = inference.read_model(trained / "model")
    expected = skops.probabilities(columns)[:, 1]
    lines = "\n".join(map(json.dumps, instances())).encode()
    batch = [float(line.split(",")[1]) for line in ask(connection, as_csv(), CSV)[1].splitlines()]
    listed = [
        each["score"]
        for each in json.loads(ask(connection, json.dumps(instances()).encode(), JSON)[1])["predictions"]
    ]
    lined = [json.loads(line)["score"] for line in ask(connection, lines, JSON_LINES)[1].splitlines()]
    single = [
        json.loads(ask(connection, json.dumps(each).encode(), JSON)[1])["predictions"][0]["score"]
        for each in instances()[:40]
    ]
    np.testing.assert_allclose(onnx.probabilities(columns)[:, 1], expected, atol=1e-5)
    for found in (batch, listed, lined):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(single, expected[:40], atol=1e-5)


def test_golden_rows_are_answered_alike_online(evaluated: Path, connection: HTTPConnection) -> None:
    """What evaluation predicted offline is what the server answers."""
    golden = [json.loads(line) for line in (evaluated / "golden.jsonl").read_text().splitlines()]
    body = json.dumps({"instances": [each["row"] for each in golden]}).encode()
    answers = json.loads(ask(connection, body, JSON)[1])["predictions"]
    assert len(golden) == 20
    assert [each["label"] for each in golden] == [each["label"] for each in answers]
    np.testing.assert_allclose(
        [each["score"] for each in answers], [each["score"] for each in golden], atol=1e-6
    )


def test_the_same_model_as_champion_stays_champion(evaluated: Path) -> None:
    """A model compared with itself has the same metric and interval, gains nothing, and is not promoted."""
    verdict = json.loads((evaluated / "verdict.json").read_text())
    document = json.loads((evaluated / "evaluation.json").read_text())
    assert verdict["challenger"] == verdict["champion"]
    assert verdict["promote"] is False
    assert verdict["gain"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert {each["column"] for each in verdict["slices"]} == {"origin", "carrier"}
    assert verdict["rule"]["block_s"] == 86400
    assert set(document["gain"]["roc_auc"]) == {"champion", "constant", "linear"}
    assert set(document["calibrations"]) == {"challenger", "champion", "constant", "linear"}
    assert set(document["binary_classification_metrics"]) >= {"auc", "f1", "accuracy", "confusion_matrix"}
    assert next(iter(document["importance"])) in {"temp_f", "carrier"}


@pytest.mark.parametrize(
    ("change", "reason", "sentence"),
    [
        (lambda rows: rows.assign(is_late=0.0), "one_class", "every one of the 300 rows has the same label"),
        (lambda rows: rows.head(1), "one_class", "every one of the 1 rows"),
        (lambda rows: rows.head(0), "empty", "holds no row with a known label"),
        (lambda rows: few_late(rows, 12), "few_events", "Undecided: 12 positive rows, 20 are needed."),
    ],
    ids=["one class", "one row", "no row", "few late"],
)
def test_a_holdout_that_nothing_can_be_judged_by_is_not_judged(
    trained: Path,
    tmp_path: Path,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    reason: str,
    sentence: str,
) -> None:
    """All documents are there, undefined is null with its reason, and the verdict says why."""
    code, log = side.evaluate(
        tmp_path, change(HOLDOUT), challenger=trained / "model", champion=trained / "model"
    )
    assert code == 0, log
    folder = tmp_path / "processing/output"
    verdict = Verdict.from_text((folder / "verdict.json").read_text())
    assert (verdict.promote, verdict.undecided) == (False, reason)
    assert sentence in verdict.reasons[0]
    assert not_none(verdict.gain).low is None
    assert not_none(verdict.gain).reason == reason
    evaluation = Evaluation.from_text((folder / "evaluation.json").read_text())
    numbers = [each for measured in evaluation.models.values() for each in measured.values()]
    assert all((each.low is None) == (each.reason is not None) for each in numbers)
    for name in ("evaluation", "verdict", "monitoring", "model_card", "manifest"):
        json.loads((folder / f"{name}.json").read_text(), parse_constant=pytest.fail)
    page = (folder / "report.html").read_text()
    assert "Not judged" in page
    assert "nan" not in re.sub("<[^>]*>", " ", page).lower().split()


def few_late(rows: pd.DataFrame, late: int) -> pd.DataFrame:
    """The rows with so many late ones."""
    return rows.assign(is_late=(np.arange(len(rows)) % (len(rows) // late) == 0).astype(float))


def test_constant_scores_are_measured_and_not_promoted(trained: Path, tmp_path: Path) -> None:
    """A challenger that says the same of every row gains nothing over the constant baseline."""
    same = pd.concat([HOLDOUT.head(1)] * 300, ignore_index=True)
    rows = HOLDOUT.assign(**{name: same[name] for name in features.SIGNATURE})
    code, log = side.evaluate(tmp_path, rows, challenger=trained / "model")
    assert code == 0, log
    verdict = Verdict.from_text((tmp_path / "processing/output/verdict.json").read_text())
    assert (verdict.promote, verdict.undecided) == (False, None)
    assert verdict.challenger.value == 0.5


def test_training_without_validation_rows_has_undefined_metrics(tmp_path: Path) -> None:
    """The model is as good as it is; nothing is known of it yet."""
    code, log = side.train(tmp_path, side.flights(400), side.flights(50).head(0))
    assert code == 0, log
    report = TrainingReport.from_text((tmp_path / "model/metrics.json").read_text())
    assert report.metrics["validation_roc_auc"] is None
    assert "nan" not in log.splitlines()[-1]


def test_the_report_stands_alone(evaluated: Path) -> None:
    """The page has its plots inside, no script, and refers to nothing outside."""
    page = (evaluated / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "<script" not in page
    assert 'src="' not in page
    assert "The challenger" in page


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has loaded")
def test_serving_loads_onnxruntime_and_neither_pandas_nor_scikit_learn(
    server: tuple[int, int], connection: HTTPConnection
) -> None:
    """A server that has predicted holds no compiled part of a library that it can do without."""
    assert ask(connection, as_csv(), CSV)[0] == 200
    loaded = Path(f"/proc/{server[0]}/maps").read_text()
    needed = {name for name in ("numpy", "onnxruntime") if f"/site-packages/{name}/" in loaded}
    spared = [
        name for name in ("pandas", "sklearn", "scipy", "pyarrow") if f"/site-packages/{name}/" in loaded
    ]
    assert needed == {"numpy", "onnxruntime"}
    assert spared == []


def test_an_unknown_category_is_answered_and_named(connection: HTTPConnection) -> None:
    """A carrier that training has not met is no error; the answer's header names the column."""
    row = {**instances()[0], "carrier": "ZZ"}
    status, _, headers = ask(connection, json.dumps(row).encode(), JSON)
    assert (status, headers["x-flywheel-unknown-categories"]) == (200, "carrier")


def test_a_bad_request_leaves_the_connection_usable(connection: HTTPConnection) -> None:
    """After a refusal with its status and reason, the next request on the same connection is answered."""
    status, body, _ = ask(connection, b"UA,1", CSV)
    assert status == 400
    assert "Row 1 has 2 fields" in json.loads(body)["error"]
    assert ask(connection, b"<a/>", "text/xml")[0] == 415
    assert ask(connection, as_csv(), CSV, Accept="image/png")[0] == 406
    assert ask(connection, as_csv(), CSV)[0] == 200


def test_an_oversized_body_is_refused(connection: HTTPConnection) -> None:
    """A body over SageMaker's limit gets 413 and words."""
    status, body, _ = ask(connection, b"x" * 6_291_457, CSV)
    assert status == 413
    assert "more than 6291456 bytes" in body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ping", 200),
        ("GET", "/execution-parameters", 200),
        ("GET", "/invocations", 405),
        ("GET", "/other", 404),
    ],
)
def test_routes(connection: HTTPConnection, method: str, path: str, status: int) -> None:
    """Each path answers to its method alone."""
    connection.request(method, path)
    response = connection.getresponse()
    response.read()
    assert status == response.status


def test_a_changed_file_is_not_loaded(trained: Path, tmp_path: Path) -> None:
    """A model whose file differs from its digest is refused before anything is made of it."""
    shutil.copytree(trained / "model", tmp_path / "model")
    with (tmp_path / "model/model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InvalidInput, match=r"^model\.onnx "):
        inference.read_model(tmp_path / "model")


def test_a_type_that_is_not_trusted_is_not_loaded(tmp_path: Path) -> None:
    """A file that would call something strange is refused by the type's name."""
    model_files.write_estimator(partial(print, "run"), tmp_path / "strange.skops")
    with pytest.raises(InvalidInput, match=r"strange\.skops .* builtins\.print"):
        model_files.read_estimator(tmp_path / "strange.skops")


def test_rows_of_one_class_cannot_be_fitted(tmp_path: Path) -> None:
    """The reason says how many rows have which label, and is left for SageMaker."""
    code, log = side.train(tmp_path, side.flights(50).assign(is_late=1.0), side.flights(50))
    expected = (
        "Cannot fit: every one of the 50 rows has is_late=1. "
        "Check the filter in cleaning.py, or fetch a longer period."
    )
    assert (code, log.splitlines()[-1]) == (1, expected)
    assert expected == (tmp_path / "output/failure").read_text()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda frame: frame.drop(columns="temp_f"), "column(s) temp_f"),
        (lambda frame: frame.head(0), "no rows"),
        (lambda frame: frame.assign(is_late=None), "no is_late"),
        (lambda frame: frame.assign(is_late=2.0), "value(s) 2,"),
    ],
)
def test_bad_rows_are_refused(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], fault: str
) -> None:
    """Rows that no model can be made of are refused in words."""
    side.write_part(tmp_path / "rows", change(side.flights(50)))
    with pytest.raises(InvalidInput, match=re.escape(fault)):
        read_rows(tmp_path / "rows", features)


def test_a_payload_and_a_parquet_file_give_the_same_arrays(tmp_path: Path, trained: Path) -> None:
    """Missing values and numbers are the same to the model, whichever way a row came."""
    side.write_part(tmp_path / "rows", HOLDOUT)
    signature = inference.read_model(trained / "model").signature
    offline = read_rows(tmp_path / "rows", features).columns
    online = inference.to_arrays(signature, parse_body(as_csv(), CSV, signature.columns))
    for name, values in offline.items():
        np.testing.assert_array_equal(online[name], values)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "TrainingReport is no JSON"),
        ('{"onnx": {"kept": true, "reason": ""}, "threads": 1}', "TrainingReport lacks metrics"),
        (
            '{"metrics": {"rows": "many"}, "onnx": {"kept": true, "reason": ""}, "threads": 1}',
            "metrics.rows must be",
        ),
    ],
)
def test_a_models_metrics_are_refused_by_the_name_of_the_field(
    trained: Path, tmp_path: Path, content: str, fault: str
) -> None:
    """What training measured is part of the card: nothing of it is left out in silence."""
    shutil.copy(trained / "model/manifest.json", tmp_path)
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(InvalidInput, match=re.escape(fault)):
        read_trained(tmp_path)


def test_the_model_card_keeps_the_registrys_schema(evaluated: Path) -> None:
    """Its keys, the kinds of its metrics and the lengths of its texts are those of the published schema."""
    card = json.loads((evaluated / "model_card.json").read_text())
    assert set(card) == {
        *("model_overview", "intended_uses", "training_details", "evaluation_details"),
        *("business_details", "additional_information"),
    }
    custom = card["additional_information"]["custom_details"]
    assert custom["labels known by"] == "2013-02-01T00:00:00+00:00"
    assert all(isinstance(text, str) and len(text) <= 1024 for text in custom.values())
    groups = {each["name"]: each["metric_data"] for each in card["evaluation_details"][0]["metric_groups"]}
    assert {"challenger", "champion", "constant", "linear", "gain over champion", "slices"} <= set(groups)
    kinds = {"number": float, "string": str, "matrix": list}
    for metric in (each for group in groups.values() for each in group):
        assert set(metric) <= {"name", "type", "value", "notes", "x_axis_name", "y_axis_name"}
        assert isinstance(metric["value"], kinds[metric["type"]])
    for metric in card["training_details"]["training_job_details"]["user_provided_training_metrics"]:
        assert isinstance(metric["value"], (int, float))


def test_the_model_card_stands_alone(evaluated: Path) -> None:
    """The page says the same to people, without a script or another file."""
    page = (evaluated / "model_card.html").read_text()
    assert "<script" not in page
    assert 'src="' not in page
    assert "Intended uses" in page
    assert "holdout sha256" in page


def test_evaluation_leaves_what_watching_needs(evaluated: Path) -> None:
    """Importance by column, the scores' distribution, a calibration, and a sample of the training rows."""
    left = json.loads((evaluated / "monitoring.json").read_text())
    assert set(left["importance"]) == set(features.SIGNATURE)
    assert sum(left["predictions"]["counts"]) == left["rows"] == len(HOLDOUT)
    assert left["calibration"]["rows"] == len(HOLDOUT)
    sample = pd.read_parquet(evaluated / "reference.parquet")
    assert list(sample.columns) == ["event_time", *features.SIGNATURE, *features.COMBINED]
    assert len(sample) == 1500
