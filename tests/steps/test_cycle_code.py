"""A step that ends by the cycle's own code says which function of which file, which table, column and row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from include.ml import cycle_code
from include.ml.evaluation.operating import SMALLEST_PART
from include.ml.exceptions import InvalidInput
from include.steps import train
from include.steps.contract import Step
from tests.steps.conftest import forget, readings, times
from tests.steps.container import Containers, History

NOW = datetime(2020, 1, 1, tzinfo=UTC)
#: the first functions of the test's cycle begin with these
DERIVE, BUILD, COMBINE = "def derive(table):\n", "def build(tables):\n", "def combine(columns):\n"
SOURCE = """
from collections.abc import Iterator
import pandas as pd
def tables(start, end):
    BODY
"""
#: file, what is replaced in it by what, and what the message names besides file and function
TRANSFORM = {
    "a division": (
        "features.py",
        'return {"is_cold": np.where(np.isnan(temp), np.nan, temp < 0)}',
        'return {"is_cold": np.array([1 // int(t != 2) for t in temp])}',
        ("combine of features.py", "ZeroDivisionError", "line ", "is row 17"),
    ),
    "a typo in a column": (
        "joining.py",
        'tables["readings"][names]',
        'tables["readings"].assign(x=tables["readings"]["tempe"])[names]',
        ("build of joining.py", "KeyError", "'tempe'", "did you mean 'temp'"),
    ),
    "a typo in a table": (
        "joining.py",
        'tables["readings"][names]',
        'tables["reading"][names]',
        ("build of joining.py", "'reading'", "did you mean 'readings'"),
    ),
    "a table that breaks at a row": (
        "joining.py",
        BUILD,
        BUILD + '    [1 / (t + 6) for t in tables["readings"]["temp"]]\n',
        ("build of joining.py", "ZeroDivisionError", "first row of readings at fault is row 1."),
    ),
    "a column that is not returned": (
        "joining.py",
        '"known_time", *SIGNATURE',
        "*SIGNATURE",
        ("build of joining.py", "no column known_time"),
    ),
    "a number that is text": (
        "joining.py",
        'tables["readings"][names]',
        'tables["readings"].assign(temp="warm")[names]',
        ("build of joining.py", "temp", "SIGNATURE", "row 1"),
    ),
    "no frame": (
        "joining.py",
        'return tables["readings"][names]',
        "return None",
        ("build of joining.py", "NoneType", "data frame"),
    ),
    "a name that is not combined": (
        "features.py",
        'return {"is_cold"',
        'return {"is_cld"',
        ("combine of features.py", "is_cold", "did you mean 'is_cld'"),
    ),
    "a scalar": (
        "features.py",
        "np.where(np.isnan(temp), np.nan, temp < 0)",
        "1.0",
        ("combine of features.py", "is_cold", "one number", "24 rows"),
    ),
    "too few values": (
        "features.py",
        "np.where(np.isnan(temp), np.nan, temp < 0)",
        "temp[1:]",
        ("combine of features.py", "is_cold", "(23,)", "24 rows"),
    ),
    "infinity everywhere": (
        "features.py",
        "np.where(np.isnan(temp), np.nan, temp < 0)",
        "np.full(len(temp), -np.inf)",
        ("combine of features.py", "is_cold", "infinity", "all 24 rows"),
    ),
    "texts": (
        "features.py",
        "np.where(np.isnan(temp), np.nan, temp < 0)",
        "np.full(len(temp), 'cold')",
        ("combine of features.py", "is_cold", "numbers", "'cold'"),
    ),
    "no dict": ("features.py", "return {", "return None and {", ("combine of features.py", "NoneType")),
    "a module that cannot be imported": (
        "joining.py",
        BUILD,
        "undefined\n" + BUILD,
        ("joining.py of ice", "NameError", "line 3", "undefined"),
    ),
}
CLEAN = {
    "a division": (
        "cleaning.py",
        DERIVE,
        DERIVE + '    [1 // int(t != 2) for t in table["temp"]]\n',
        ("derive of table readings in cleaning.py", "ZeroDivisionError", "line ", "is row 17"),
    ),
    "a typo in a column": (
        "cleaning.py",
        'table["time"].dt',
        'table["tiem"].dt',
        ("derive of table readings in cleaning.py", "'tiem'", "did you mean 'time'"),
    ),
    "a local time that does not exist": (
        "cleaning.py",
        DERIVE,
        DERIVE
        + '    naive = pd.to_datetime(["2020-03-29 02:30"] * len(table))\n'
        + '    naive[17:].tz_localize("UTC"), naive[:17].tz_localize("Europe/Berlin")\n',
        ("derive of table readings in cleaning.py", "line ", "2020-03-29 02:30"),
    ),
    "nothing returned": (
        "cleaning.py",
        "return table.assign",
        "table.assign",
        ("derive of table readings in cleaning.py", "NoneType", "DataFrame of pandas"),
    ),
    "values of several types": (
        "cleaning.py",
        "known_time=table",
        "odd=[1, 'a'] * (len(table) // 2), known_time=table",
        ("derive of table readings in cleaning.py", "several types"),
    ),
    "a check that raises": (
        "schema.py",
        "pa.Check.isin([0, 1])",
        "pa.Check(lambda column: column.nothing)",
        ("schema.py", "froze", "nothing"),
    ),
}
FETCH = {
    "an error": ("return 1 / 0", ("tables of source.py", "ZeroDivisionError", "line 5")),
    "no tables": ("return None", ("tables of source.py", "NoneType", "dict")),
    "an error in the middle": (
        "return {'readings': (1 / 0 for _ in range(1))}",
        ("tables of source.py", "readings", "ZeroDivisionError"),
    ),
    "chunks that are no tables": (
        "return {'readings': [[1, 2]]}",
        ("tables of source.py", "readings", "list", "data frames"),
    ),
}
Changed = tuple[str, str, str, tuple[str, ...]]


def change(folder: Path, file: str, old: str, new: str) -> None:
    """Change a file of the installed cycle."""
    path = folder / "cycles/ice" / file
    text = path.read_text()
    assert old in text
    path.write_text("import pandas as pd\n" * (file == "cleaning.py") + text.replace(old, new))
    forget()


@pytest.mark.parametrize("case", TRANSFORM.values(), ids=TRANSFORM)
def test_rows_that_cannot_be_made(
    with_history: History, tmp_path: Path, case: Changed, capfd: pytest.CaptureFixture[str]
) -> None:
    """In build and combine; the traceback stands above the message in the log."""
    *changed, named = case
    job = with_history("transform", 1)
    change(tmp_path, *changed)
    message = job.refuse("prepare", **times(1))
    assert [word for word in named if word not in message] == [], message
    if "line " in named:
        log = capfd.readouterr()
        assert "Traceback" in log.err
        assert log.out.rstrip().endswith(message)


@pytest.mark.parametrize("case", CLEAN.values(), ids=CLEAN)
def test_tables_that_cannot_be_cleaned(
    fetched: Callable[..., Path], container: Containers, tmp_path: Path, case: Changed
) -> None:
    """In derive and in the checks of the schema."""
    *changed, named = case
    job = container("clean")
    job.link("fetch", fetched(readings()))
    change(tmp_path, *changed)
    message = job.refuse("clean")
    assert [word for word in named if word not in message] == [], message


@pytest.mark.parametrize(("body", "named"), FETCH.values(), ids=FETCH)
def test_a_source_that_cannot_be_read(
    ice: Callable[[str], None], container: Containers, tmp_path: Path, body: str, named: tuple[str, ...]
) -> None:
    """At once, and after it has begun."""
    ice("")
    path = tmp_path / "cycles/ice/cycle.py"
    text = path.read_text().replace("FileSource(", "PythonSource(").replace('{"readings": ""}', "")
    path.write_text(text.replace("FileSource", "PythonSource"))
    (tmp_path / "cycles/ice/source.py").write_text(SOURCE.replace("BODY", body))
    forget()
    message = container("fetch").refuse("fetch")
    assert [word for word in named if word not in message] == [], message


@pytest.mark.parametrize("rows", [1, 2, 1000, 100_000])
@pytest.mark.parametrize("kind", ["frame", "arrow", "arrays"])
def test_the_first_row_is_found(kind: str, rows: int) -> None:
    """Wherever it is, in a bounded number of calls."""
    values, calls = np.zeros(rows), []
    for place in {0, rows // 2, rows - 1}:
        values[:] = 0
        values[place] = 1
        made = {"frame": pd.DataFrame, "arrow": pa.table, "arrays": dict}[kind]({"x": values})

        def fail(tables: Mapping[str, cycle_code.Table]) -> None:
            calls.append(1)
            if np.asarray(tables["t"]["x"]).any():
                raise RuntimeError("one")

        with pytest.raises(cycle_code.FaultyCode) as caught:
            cycle_code.call(fail, {"t": made}, "f of g.py")
        assert f"The first row of t at fault is row {place + 1}." in str(caught.value)
    assert len(calls) <= 3 * (cycle_code.SEARCH_CALLS + 2)


def test_a_fault_of_no_row_names_none() -> None:
    """What fails without rows as well is not about one."""

    def fail(_: object) -> None:
        raise RuntimeError("always " * 200)

    with pytest.raises(cycle_code.FaultyCode) as caught:
        cycle_code.call(fail, {"t": pd.DataFrame({"x": [1, 2]})}, "f of g.py")
    assert "at fault" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_refusal_of_ones_own_stays_what_it_is() -> None:
    """A cycle may say by itself what is wrong."""

    def refuse(_: object) -> None:
        raise InvalidInput("no such shop")

    with pytest.raises(InvalidInput, match=r"^no such shop$"):
        cycle_code.call(refuse, {}, "f of g.py")


def test_an_estimator_is_told_of_with_its_doubtful_numbers(tmp_path: Path) -> None:
    """What scikit-learn says of infinity names no column."""
    estimator = ModuleType("estimator")
    vars(estimator)["pipeline"] = lambda _: make_pipeline(LogisticRegression())
    step = Step(name="train", cycle="ice", start=NOW, end=NOW, key="", base=tmp_path)
    rows = pd.DataFrame({"a": [1.0, np.inf], "b": [np.nan, np.nan]}), np.array([0, 1])
    with pytest.raises(cycle_code.FaultyCode) as caught:
        train.fit_pipeline(step, estimator, rows, rows)
    message = str(caught.value)
    assert message.startswith("What estimator.py fits raised ValueError: Input X contains ")
    assert message.endswith(
        "Of the 2 rows, a is infinite in 1 rows (first in row 2); b is missing in 2 rows (first in row 1)."
    )


@pytest.mark.parametrize("rare", [1, 30])
def test_a_category_of_one_stretch_alone_does_not_end_training(tmp_path: Path, rare: int) -> None:
    """The rows that a model of the others cannot answer are left out of the choice of the threshold."""
    generator, n = np.random.default_rng(0), 600
    labels = generator.integers(0, 2, n)
    table = pd.DataFrame({"x": labels + generator.normal(size=n), "c": "often"})
    table.loc[n - rare :, "c"] = "rare"
    columns = ColumnTransformer(
        [("c", OneHotEncoder(handle_unknown="error"), ["c"])], remainder="passthrough"
    )
    estimator = ModuleType("estimator")
    vars(estimator)["pipeline"] = lambda _: make_pipeline(columns, LogisticRegression())
    step = Step(name="train", cycle="flights", start=NOW, end=NOW, key="", base=tmp_path)
    times = pd.Series(pd.date_range(NOW, periods=n, freq="h"))
    point = train.fit_operating_point(step, estimator, times, (table, labels), (table, labels))
    assert point.threshold.value is not None
    assert n - rare - 2 * SMALLEST_PART <= point.rows <= n - rare


def test_stretches_that_cannot_be_fitted_leave_no_threshold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fault is told, and told again where all rows are fitted."""
    estimator = ModuleType("estimator")
    vars(estimator)["pipeline"] = lambda _: make_pipeline(LogisticRegression())
    step = Step(name="train", cycle="flights", start=NOW, end=NOW, key="", base=tmp_path)
    rows = pd.DataFrame({"x": [np.inf] * 60}), np.arange(60) % 2
    times = pd.Series(pd.date_range(NOW, periods=60, freq="D"))
    point = train.fit_operating_point(step, estimator, times, rows, rows)
    assert (point.threshold.value, point.rows) == (None, 0)
    assert "x is infinite in 40 rows" in capsys.readouterr().out
