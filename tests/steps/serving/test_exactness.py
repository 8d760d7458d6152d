"""Whatever row a client sends, the answer is what scikit-learn says of it, or a refusal that names why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from include.core.documents.model import ModelSignature, OnnxExport
from include.ml.cleaning.rules import Rules as CleaningRules
from include.ml.cleaning.sent import Sent
from include.steps import train
from include.steps.contract import Step
from include.steps.rows import Rows
from include.steps.serving import inference
from include.steps.serving.server import Server

NUMBERS, TEXTS = ["age", "price"], ["country", "plan"]
LARGEST = 3.4028234e38
GOOD: dict[str, Any] = {"country": "US", "plan": "basic", "age": 40, "price": 20.5}
ODD: dict[str, list[Any]] = {
    "age": [None, 0, -0.0, 1e-36, -1e-36, 17, 90, 0.5, 2.0**24 + 1, -LARGEST, LARGEST],
    "price": [None, 0, 1e-36, -5, 1e6, 1e20, 33.333333333333336, LARGEST],
    "country": [None, "", "XX", " US", "us", "7", "nan", "FR", "LI", "x" * 300],
    "plan": [None, "", "none", "1e3", "basic", "pro"],
}


def combine(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The logarithm of the price, which is undefined for a negative one and infinite for 0."""
    with np.errstate(all="ignore"):
        return {"log_price": np.log(columns["price"])}


FEATURES = cast(
    "ModuleType",
    SimpleNamespace(
        SIGNATURE={"country": "string", "plan": "string", "age": "number", "price": "number"},
        COMBINED=("log_price",),
        LABEL="bought",
        CLASSES=("no", "yes"),
        combine=combine,
    ),
)
MODULES = {
    "schema": SimpleNamespace(FACTS="sales", TABLES={"sales": pandera.DataFrameSchema({})}),
    "cleaning": SimpleNamespace(RULES={}),
    "joining": SimpleNamespace(),
}
STEP = cast(
    "Step",
    SimpleNamespace(
        cycle="shop",
        parameters={},
        module=MODULES.__getitem__,
        description=SimpleNamespace(task="binary", promotion=SimpleNamespace(block=None)),
    ),
)


def shop(rows: int, seed: int) -> Rows:
    """Customers without any missing value; LI is rare."""
    generator = np.random.default_rng(seed)
    country = generator.choice(["US", "FR", "DE", "LI"], rows, p=[0.5, 0.3, 0.19, 0.01]).astype(object)
    plan = generator.choice(["basic", "pro"], rows).astype(object)
    age, price = generator.uniform(18, 80, rows).round(), generator.lognormal(3, 1, rows).round(2)
    chance = 1 / (1 + np.exp(-(age - 50) / 10 + np.where(country == "US", 1, -1)))
    return Rows(
        columns={"country": country, "plan": plan, "age": age, "price": price},
        labels=(generator.random(rows) < chance).astype(int),
        event_ids=np.arange(rows).astype(str).astype(object),
        times=pd.Series(pd.date_range("2013-01-01", periods=rows, tz="UTC")),
    )


def pipeline(numeric: object, textual: object, model: object, numbers: list[str] | None = None) -> Pipeline:
    """A preprocessing of numbers and texts, and a model."""
    parts = [("numbers", numeric, numbers or NUMBERS), ("texts", textual, TEXTS)]
    return Pipeline([("preprocessing", ColumnTransformer(parts)), ("model", model)])


IMPUTED = partial(make_pipeline, SimpleImputer(), StandardScaler())
IGNORING = partial(OneHotEncoder, handle_unknown="ignore")
INFREQUENT = partial(OneHotEncoder, handle_unknown="infrequent_if_exist", min_frequency=30)
CODES = partial(OrdinalEncoder, handle_unknown="use_encoded_value", unknown_value=-1)
TREES = partial(HistGradientBoostingClassifier, max_iter=20, random_state=0)
LINEAR = partial(LogisticRegression, max_iter=500)

ESTIMATORS: dict[str, Callable[[], Pipeline]] = {
    "scaled": lambda: pipeline(StandardScaler(), IGNORING(), LINEAR()),
    "imputed": lambda: pipeline(IMPUTED(), IGNORING(), LINEAR()),
    "indicated": lambda: pipeline(
        make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), INFREQUENT(), LINEAR()
    ),
    "closed": lambda: pipeline(IMPUTED(), OneHotEncoder(), LINEAR()),
    "infrequent": lambda: pipeline(IMPUTED(), INFREQUENT(), LINEAR()),
    "target": lambda: pipeline("passthrough", TargetEncoder(), LINEAR()),
    "ordinal closed": lambda: pipeline("passthrough", OrdinalEncoder(), TREES()),
    "boosted": lambda: pipeline("passthrough", CODES(), TREES()),
    "boosted with logarithm": lambda: pipeline("passthrough", CODES(), TREES(), [*NUMBERS, "log_price"]),
    "logarithm": lambda: pipeline(StandardScaler(), CODES(), LINEAR(), [*NUMBERS, "log_price"]),
    "scaled and boosted": lambda: pipeline(StandardScaler(), CODES(), TREES()),
    "forest": lambda: pipeline("passthrough", CODES(), RandomForestClassifier(20, random_state=0)),
    "scaled forest": lambda: pipeline(
        StandardScaler(), CODES(), RandomForestClassifier(20, max_depth=4, random_state=0)
    ),
    "neighbours": lambda: pipeline(IMPUTED(), IGNORING(), KNeighborsClassifier(5)),
    "all frequent": lambda: pipeline(IMPUTED(), INFREQUENT(min_frequency=5), LINEAR()),
    "numbers as categories": lambda: pipeline(OneHotEncoder(), CODES(), LINEAR(), ["age"]),
    "voting": lambda: pipeline(
        "passthrough",
        TargetEncoder(),
        VotingClassifier(
            [("trees", TREES()), ("linear", make_pipeline(SimpleImputer(), StandardScaler(), LINEAR()))],
            voting="soft",
            weights=np.array([2.0, 1.0]),
            flatten_transform=False,
        ),
    ),
}


#: those whose export is exact; of the others it differs on a row or cannot be made
KEPT = {
    *("scaled", "imputed", "closed", "target", "voting", "logarithm"),
    *("ordinal closed", "boosted", "boosted with logarithm"),
}


@cache
def trained(name: str) -> tuple[train.Fitted, Rows]:
    """A fitted model, with the rows that it learnt from."""
    rows = shop(1500, 0)
    estimator = cast("ModuleType", SimpleNamespace(pipeline=lambda _hyperparameters: ESTIMATORS[name]()))
    return train.fit(STEP, FEATURES, estimator, rows, shop(200, 1)), rows


def export(name: str, folder: Path) -> tuple[OnnxExport, inference.Model]:
    """What came of a model's export, and the model that is served."""
    fitted, rows = trained(name)
    known = {"training": rows.columns, "validation": shop(200, 1).columns}
    outcome = train.write_onnx(folder, fitted, FEATURES, known)
    predict = (
        inference.from_onnx(folder / "model.onnx")
        if outcome.kept
        else inference.from_estimator(fitted.pipeline, fitted.signature)
    )
    return outcome, inference.Model(fitted.signature, combine, predict)


def odd_rows() -> list[dict[str, Any]]:
    """Rows with one odd value, and rows with two."""
    singles = [{**GOOD, name: value} for name, values in ODD.items() for value in values]
    doubles = [{**row, "age": None, "plan": "new"} for row in singles]
    return [GOOD, *singles, *doubles, dict.fromkeys(GOOD)]


def post(server: Server, rows: list[dict[str, Any]]) -> tuple[int, Any]:
    """Status and body of an invocation of the application."""
    (answer,) = asyncio.run(gather(server, [rows]))
    return answer


async def gather(server: Server, requests: list[list[dict[str, Any]]]) -> list[tuple[int, Any]]:
    """Status and body of invocations that arrive together; JSON has no NaN."""
    return await asyncio.gather(*(invoke(server, json.dumps(rows).encode()) for rows in requests))


async def invoke(server: Server, body: bytes) -> tuple[int, Any]:
    """Status and body of one invocation."""
    sent: list[Any] = []
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "path": "/invocations", "method": "POST", "headers": headers}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: object) -> None:
        sent.append(message)

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    await server(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"], parse_constant=refuse)


def expected_score(fitted: train.Fitted, row: dict[str, Any]) -> float | None:
    """What scikit-learn itself says of a row; None where it raises or says no number."""
    columns = {
        name: np.array([np.nan if value is None else value], float)
        if FEATURES.SIGNATURE[name] == "number"
        else np.array([value or ""], object)
        for name, value in row.items()
    }
    inputs = inference.stack(fitted.signature, combine, columns)
    try:
        score = float(fitted.pipeline.predict_proba(inference.table(fitted.signature, *inputs))[0, 1])
    except ValueError:
        return None
    return score if np.isfinite(score) else None


# converters and models speak of overflows in the rows that are made for it
pytestmark = [
    pytest.mark.filterwarnings("ignore:Field onnx.AttributeProto.ints:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_each_row_is_answered_as_by_scikit_learn_or_refused(name: str, tmp_path: Path) -> None:
    """200 with its score where it has one, and 400 that names a column of the row where it raises."""
    outcome, model = export(name, tmp_path)
    assert outcome.kept == (name in KEPT), outcome
    server, fitted = Server(model), trained(name)[0]
    for row in odd_rows():
        score = expected_score(fitted, row)
        status, answer = post(server, [row])
        if score is None:
            assert (row, status) == (row, 400), outcome
            assert any(f"column {column!r}" in answer["error"] for column in row), answer
        else:
            assert (row, status) == (row, 200), (answer, outcome)
            assert answer["predictions"][0]["score"] == pytest.approx(score, abs=2e-5), (row, outcome)


@pytest.mark.parametrize("name", ["scaled", "numbers as categories", "logarithm"])
def test_a_bad_row_among_good_ones_is_named(name: str, tmp_path: Path) -> None:
    """The refusal counts rows from 1, whether the signature knows of the fault or the model is asked."""
    server = Server(export(name, tmp_path)[1])
    faults: dict[str, dict[str, Any]] = {
        "scaled": {"age": None},
        "numbers as categories": {"age": 40.25},
        "logarithm": {"price": -5},
    }
    bad = faults[name]
    (column,) = bad
    requests: tuple[list[dict[str, Any]], ...]
    requests = ([GOOD] * 6 + [{**GOOD, **bad}] + [GOOD] * 5, [GOOD] * 300 + [{**GOOD, **bad}])
    for rows in requests:
        status, answer = post(server, rows)
        number = next(n for n, row in enumerate(rows, 1) if row != GOOD)
        assert (status, answer["error"].split(":")[0]) == (400, f"Row {number}")
        assert f"column {column!r}" in answer["error"]


def test_a_request_is_not_refused_for_its_company(tmp_path: Path) -> None:
    """Of requests that are predicted together only the one with the bad row is refused."""
    server = Server(export("scaled", tmp_path)[1])
    answers = asyncio.run(gather(server, [[GOOD], [GOOD, {**GOOD, "age": None}], [GOOD]]))
    assert [status for status, _ in answers] == [200, 400, 200]
    assert "Row 2: column 'age' is missing" in answers[1][1]["error"]


def test_a_broken_model_is_no_fault_of_the_row(tmp_path: Path) -> None:
    """A model that fails for a row that it answered in training is answered for with 500."""
    model = export("scaled", tmp_path)[1]

    def fail(_numbers: np.ndarray, _strings: np.ndarray) -> np.ndarray:
        raise MemoryError("none left")

    status, answer = post(Server(replace(model, predict=fail)), odd_rows()[:1])
    assert (status, answer["error"][:28]) == (500, "The model failed: MemoryErro")


def test_a_signature_of_version_1_still_serves_and_never_says_nan(tmp_path: Path) -> None:
    """A model that was not asked what it takes answers as before; a score that is no number is refused."""
    model = export("scaled", tmp_path)[1]
    old = model.signature.as_json()
    for name in ("combined", "example"):
        del old[name]
    for column in old["columns"]:
        column.pop("closed", None)
        del column["nullable"]
    server = Server(replace(model, signature=ModelSignature.from_json({**old, "version": 1})))
    assert post(server, [GOOD])[0] == 200
    status, answer = post(server, [GOOD, {**GOOD, "age": None}])
    assert (status, answer["error"][:7]) == (400, "Row 2: ")
    assert "age" in answer["error"]


def test_the_signature_says_what_each_column_takes() -> None:
    """Found by asking the fitted model: missing numbers, missing and unknown texts, combined attributes."""
    signature = trained("closed")[0].signature
    country, plan, age, price = signature.columns
    assert (country.nullable, country.closed) == (False, True)
    assert country.values == ("DE", "FR", "LI", "US")  # noqa: PD011 - no pandas
    assert (plan.nullable, plan.closed, age.nullable, price.nullable) == (False, True, True, True)
    assert trained("logarithm")[0].signature.columns[3].nullable is False
    (log_price,) = trained("boosted with logarithm")[0].signature.combined or ()
    assert (log_price.nullable, log_price.infinite) == (True, True)
    (log_price,) = trained("logarithm")[0].signature.combined or ()
    assert (log_price.nullable, log_price.infinite) == (False, False)


def test_requests_are_cleaned_as_training_rows_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are trimmed and unified, and a row that clean would set aside is refused by column and rule."""
    columns = {
        "country": pandera.Column(str, pandera.Check.isin(["US", "FR", "DE", "LI"])),
        "cost": pandera.Column(float, pandera.Check.ge(0)),
    }
    tables = {"sales": pandera.DataFrameSchema(columns)}
    rules = CleaningRules(identity=("country",), unify={"country": {"us": "US"}})
    monkeypatch.setitem(MODULES, "schema", SimpleNamespace(FACTS="sales", TABLES=tables))
    monkeypatch.setitem(MODULES, "cleaning", SimpleNamespace(RULES={"sales": rules}))
    sent = Sent(columns={"price": ("sales", "cost")})
    monkeypatch.setitem(MODULES, "joining", SimpleNamespace(SENT=sent))
    fitted = trained.__wrapped__("boosted")[0]
    predict = inference.from_estimator(fitted.pipeline, fitted.signature)
    server = Server(inference.Model(fitted.signature, combine, predict))
    usual = post(server, [GOOD])
    assert usual[0] == 200
    for spelling in (" US", "us", "us\t"):
        assert post(server, [{**GOOD, "country": spelling}]) == usual
    for column, value, rule in [
        ("price", -5, "-5.0 fails greater_than_or_equal_to(0), a rule of sales.cost"),
        ("country", "XX", "'XX' fails isin(['US', 'FR', 'DE', 'LI']), a rule of sales.country"),
        ("country", " ", "is missing, a rule of sales.country"),
    ]:
        status, answer = post(server, [GOOD, {**GOOD, column: value}])
        assert (status, answer["error"][: len(rule) + 40]) == (
            400,
            f"Row 2, column {column!r}: {rule} by which training rows were cleaned."[: len(rule) + 40],
        )
