"""What a cycle's package says is read from its syntax trees; a broken cycle hides no other."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import include.cycles
from include.core import cycle
from include.core.cycle import broken_cycles, described_cycle, find_cycles, refuse_broken_cycles
from include.core.exceptions import FlywheelError, InvalidCycle, PermanentError

#: a whole package, as short as can be
PACKAGE = {
    "cycle.py": """
        from datetime import UTC, datetime, timedelta
        from include.core.cycle import Cycle, FileSource, Promotion, Split
        from include.core.monitoring import Facet, Monitoring
        CYCLE = Cycle(name="NAME", description="Will it freeze?", task="binary", schedule="0 0 * * *",
                      start=datetime(2020, 1, 1, tzinfo=UTC), metric="roc_auc",
                      source=FileSource({"readings": "file:///a.csv"}),
                      split=Split(holdout=timedelta(hours=6), validation=timedelta(hours=6)),
                      promotion=Promotion(slice_floors={"station": -0.1}),
                      monitoring=Monitoring(facets=(Facet(column="country", values=("US",)),)))
    """,
    "schema.py": """
        import pandera.pandas as pa
        FACTS = "readings"
        TABLES: dict[str, pa.DataFrameSchema] = {"readings": pa.DataFrameSchema({})}
    """,
    "cleaning.py": 'RULES = {"readings": Rules(identity=("station",))}',
    "features.py": """
        SIGNATURE = {"station": "string", "country": "string", "temp": "number"}
        COMBINED = ("is_cold",)
        LABEL = "froze"
        CLASSES = ("0", "1")
        def combine(columns):
            return {}
    """,
    "joining.py": "def build(tables): ...",
    "estimator.py": """
        SLICES = ("station",)
        def pipeline(hyperparameters):
            return int(hyperparameters.get("depth", "3")) + int(hyperparameters["leaves"])
    """,
}


class Packages:
    """Cycles of this test alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names = iter(f"c{abs(hash(folder)) % 10**9}n{number}" for number in range(100))

    def add(self, **changed: str | None) -> str:
        """Write a package in which some files are others, or missing; return the cycle's name."""
        name = next(self._names)
        (self.folder / name).mkdir()
        for file, text in (PACKAGE | {f"{stem}.py": text for stem, text in changed.items()}).items():
            if text is not None:
                (self.folder / name / file).write_text(textwrap.dedent(text).replace("NAME", name))
        return name

    def faults(self, **changed: str | None) -> tuple[str, ...]:
        """What is wrong with a package in which some files are others."""
        broken = self.add(**changed)
        return broken_cycles()[broken].faults if broken in broken_cycles() else ()


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    """A folder that is found instead of include/cycles, and imported from beside it."""
    monkeypatch.setattr(cycle, "CYCLES", tmp_path)
    monkeypatch.setattr(include.cycles, "__path__", [*include.cycles.__path__, str(tmp_path)])
    return Packages(tmp_path)


def edited(file: str, old: str, new: str) -> dict[str, str | None]:
    """A file of the package with one change."""
    assert old in PACKAGE[f"{file}.py"]
    return {file: PACKAGE[f"{file}.py"].replace(old, new)}


def test_a_whole_package_is_a_cycle(packages: Packages) -> None:
    """And the shipped ones are whole."""
    name = packages.add()
    assert list(find_cycles()) == [name]
    assert described_cycle(name) is find_cycles()[name]


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("cycle", '"readings": "file', '"reading": "file', "source.tables has a table 'reading'"),
        ("cycle", '"readings": "file', '"reading": "file', "source.tables lacks the table 'readings'"),
        ("schema", '{"readings"', '{"more": 1, "readings"', "source.tables lacks the table 'more'"),
        ("schema", '{"readings"', '{"more": 1, "readings"', "cleaning.py: RULES lacks the table 'more'"),
        ("schema", 'FACTS = "readings"', 'FACTS = "reading"', "FACTS='reading' is no table"),
        ("schema", "FACTS", "FACT", "schema.py has no FACTS. It has FACT: rename that."),
        ("schema", "TABLES:", "TABELS:", "schema.py has no TABLES. It has TABELS: rename that."),
        (
            "cleaning",
            '"readings"',
            '"reading"',
            "RULES has a table 'reading', which TABLES in schema.py lacks.",
        ),
        ("features", '("0", "1")', '("0", "1", "2")', "features.py has 3 CLASSES for task='binary'"),
        ("features", '("0", "1")', '("0",)', "features.py has 1 CLASSES for task='binary'"),
        ("features", '("0", "1")', "(0, 1)", "features.py: CLASSES=(0, 1) is no tuple of different texts"),
        ("features", '("0", "1")', '("1", "1")', "features.py: CLASSES=('1', '1') is no tuple of different"),
        ("features", '("is_cold",)', '("is_cold")', "features.py: COMBINED='is_cold' is no tuple"),
        (
            "features",
            '"temp": "number"',
            '"temp": "numbers"',
            "SIGNATURE['temp']='numbers' is no kind of column",
        ),
        ("features", 'LABEL = "froze"', 'LABEL = "temp"', "SIGNATURE has the label 'temp'"),
        ("features", "def combine(columns)", "def combined(columns)", "features.py has no combine."),
        ("features", "def combine(columns)", "def combine()", "combine is called with 1 arguments"),
        ("features", "def combine(columns)", "def combine(columns, *, scale)", "combine is called with 1"),
        ("joining", "build(tables)", "build(tables, more)", "build is called with 1 arguments"),
        (
            "estimator",
            '("station",)',
            '("stations",)',
            "SLICES has 'stations', which SIGNATURE in features.py",
        ),
        ("estimator", '("station",)', '("country",)', "promotion.slice_floors has 'station', which SLICES"),
        ("estimator", '("station",)', "()", "promotion.slice_floors has 'station', which SLICES"),
        ("estimator", '("station",)', '"station"', "estimator.py: SLICES='station' is no tuple"),
        ("estimator", "def pipeline(", "def pipelines(", "estimator.py has no pipeline"),
        ("estimator", "SLICES", "fit = lambda: 0\n        SLICE", "estimator.py has no SLICES"),
        (
            "estimator",
            "SLICES",
            "def fit(model, x, y): ...\n        SLICES",
            "fit is called with 5 arguments",
        ),
        ("estimator", "def pipeline", "def pipeline(:", "estimator.py is no Python"),
        ("cycle", 'column="country"', 'column="contry"', "monitoring.facets has 'contry', which SIGNATURE"),
        (
            "cycle",
            "facets=",
            'private=("contry",), facets=',
            "monitoring.private has 'contry', which",
        ),
        (
            "cycle",
            "metric=",
            'hyperparameters={"dept": "3"}, metric=',
            "hyperparameters has 'dept', which",
        ),
        ("cycle", 'task="binary"', 'task="multiclass"', "metric='roc_auc' is no metric for the task multi"),
        ("cycle", 'name="NAME"', 'name="other"', "name='other' in the folder"),
        ("cycle", "CYCLE =", "CYCLES =", "AttributeError"),
        ("cycle", "CYCLE = Cycle", "CYCLE = dict", "cycle.py has CYCLE={'name': "),
        (
            "cycle",
            "from datetime",
            "import nothing_of_this_name\n        from datetime",
            "ModuleNotFoundError",
        ),
    ],
)
def test_what_does_not_fit_is_told_before_any_job(
    packages: Packages, file: str, old: str, new: str, told: str
) -> None:
    """By the name of the file, with what was meant."""
    faults = packages.faults(**edited(file, old, new))
    assert [fault for fault in faults if told in fault], faults


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("schema", '{"readings": pa.DataFrameSchema({})}', 'dict.fromkeys(("more",))'),
        ("schema", '{"readings"', '{**OTHERS, "readings"'),
        ("schema", '{"readings": pa.DataFrameSchema({})}', '{}\nTABLES["more"] = 1'),
        ("schema", "FACTS =", "FACTS: str = NAMES[0]\n#"),
        ("features", '("0", "1")', "tuple(str(digit) for digit in range(10))"),
        ("features", "CLASSES =", "CLASSES = ('a',)\nif True:\n    CLASSES ="),
        ("features", '("0", "1")', "('a',)\nCLASSES += ('b',)"),
        ("features", 'SIGNATURE = {"station": "string", "country"', 'SIGNATURE = {**BASE, "country"'),
        ("features", "def combine(columns)", "from elsewhere import *\ndef unlike(columns)"),
        ("features", "def combine(columns)", "def combine(*anything)"),
        ("features", "def combine(columns)", "combine = make()\ndef unlike(columns)"),
        ("joining", "def build(tables): ...", "from elsewhere import build"),
        ("joining", "def build(tables): ...", "try:\n    from a import build\nexcept ImportError:\n    pass"),
        ("joining", "def build(tables): ...", "@cached\ndef build(): ..."),
        ("estimator", '("station",)', "tuple(SIGNATURE)"),
    ],
)
def test_what_is_computed_is_not_guessed(packages: Packages, file: str, old: str, new: str) -> None:
    """The job finds out; a cycle that may be right is not refused."""
    changed = edited(file, old, new)
    changed[file] = textwrap.dedent(PACKAGE[f"{file}.py"]).replace(old, new)
    assert packages.faults(**changed) == ()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("schema", "{})", 'dict.fromkeys(f"x{number}" for number in "12"))'),
        ("features", 'LABEL = "froze"', 'LABEL = "fr" f"oze"'),
        ("joining", "...", '[name for name in "ab"]'),
        ("cleaning", "RULES", "for name in (): pass\nRULES"),
    ],
)
def test_a_column_whose_name_may_be_made_is_not_guessed(
    packages: Packages, file: str, old: str, new: str
) -> None:
    """A private column that nobody has would be in every file: but it may be made."""
    private = {"cycle": PACKAGE["cycle.py"].replace("facets=", 'private=("contry",), facets=')}
    told = "monitoring.private has 'contry', which the package lacks. Write 'country'."
    assert packages.faults(**private) == (told,)
    made = {file: textwrap.dedent(PACKAGE[f"{file}.py"]).replace(old, new)}
    assert packages.faults(**private, **made) == ()


@pytest.mark.parametrize(
    "body",
    [
        "make(hyperparameters)",
        "{**hyperparameters}",
        "hyperparameters.items()",
        'hyperparameters.get("depth"), hyperparameters[NAME]',
        '[hyperparameters[name] for name in ("depth", "dept")]',
    ],
)
def test_hyperparameters_that_are_read_otherwise_are_not_guessed(packages: Packages, body: str) -> None:
    """Only where each name stands in `pipeline` is it known which there are."""
    given = PACKAGE["cycle.py"].replace("metric=", 'hyperparameters={"dept": "3"}, metric=')
    told = "hyperparameters has 'dept', which pipeline in estimator.py lacks. Write 'depth'."
    assert packages.faults(cycle=given) == (told,)
    estimator = f'SLICES = ("station",)\ndef pipeline(hyperparameters): return {body}'
    assert packages.faults(cycle=given, estimator=estimator) == ()


@pytest.mark.parametrize("file", ["schema", "cleaning", "features", "joining", "estimator"])
def test_a_module_that_is_missing_is_told(packages: Packages, file: str) -> None:
    """With what it has to offer."""
    assert [
        f"there is no {file}.py. Write it, with " in fault for fault in packages.faults(**{file: None})
    ] == [True]


def test_a_source_of_ones_own_has_a_module(packages: Packages) -> None:
    """Which a FileSource does without."""
    own = PACKAGE["cycle.py"].replace('FileSource({"readings": "file:///a.csv"})', "PythonSource()")
    own = own.replace("FileSource", "PythonSource")
    assert ["there is no source.py" in fault for fault in packages.faults(cycle=own)] == [True]
    assert packages.faults(cycle=own, source="def tables(start): ...") == (
        "source.py: tables is called with 2 arguments, which it does not take.",
    )
    assert packages.faults(cycle=own, source="def tables(start, end): ...") == ()


def test_faults_of_all_files_are_told_at_once(packages: Packages) -> None:
    """Those of the description, too."""
    wrong = {**edited("cycle", 'task="binary"', 'task="binray"'), **edited("schema", "FACTS", "FACT")}
    faults = packages.faults(**wrong, **edited("estimator", "SLICES", "SLICE"), joining=None)
    heads = [
        "task='binray'",
        "schema.py has no FACTS",
        "there is no joining.py",
        "estimator.py has no SLICES",
    ]
    assert [fault[: len(head)] for fault, head in zip(faults, heads, strict=True)] == heads


def test_a_broken_cycle_hides_no_other(packages: Packages) -> None:
    """It is left out, and whoever asks for it, or for all that is wrong, is told."""
    broken = packages.add(**edited("cycle", '"0 0 * * *"', '"tomorrow"'))
    whole = packages.add()
    other = packages.add(joining=None)
    assert list(find_cycles()) == [whole]
    assert sorted(broken_cycles()) == [broken, other]
    with pytest.raises(InvalidCycle, match=f"Cycle {broken}: schedule='tomorrow' is no schedule"):
        described_cycle(broken)
    with pytest.raises(FlywheelError, match=rf"no cycle 'nothing'. Known: {whole}\."):
        described_cycle("nothing")
    with pytest.raises(PermanentError, match=f"(?s)Cycle {broken}: .*Cycle {other}: there is no joining"):
        refuse_broken_cycles()


def test_a_cycle_that_is_mended_is_found(packages: Packages) -> None:
    """Without a new process, as the one that reads DAG files needs it."""
    name = packages.add(**edited("features", '("0", "1")', '("0",)'))
    assert list(find_cycles()) == []
    path = packages.folder / name / "features.py"
    path.write_text(textwrap.dedent(PACKAGE["features.py"]) + "\n# mended\n")
    assert list(find_cycles()) == [name]
    refuse_broken_cycles()


DAGS = """
import sys, include.cycles
from pathlib import Path
from include.core import cycle
cycle.CYCLES = Path(sys.argv[1])
include.cycles.__path__.append(sys.argv[1])
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder="dags")
print("DAGS", *sorted(bag.dag_ids))
for name, error in bag.import_errors.items():
    print("ERROR", name, error.splitlines()[-1])
"""


def test_airflow_shows_what_is_wrong_and_has_the_dags_of_the_others(packages: Packages) -> None:
    """As an import error that names the cycle, of a file that makes no DAG."""
    broken = packages.add(**edited("cycle", '"roc_auc"', '"roc_acu"'))
    whole = packages.add()
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", DAGS, str(packages.folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    dags = re.findall(r"^DAGS (.*)$", done.stdout, re.MULTILINE)[0].split()
    kinds = ("roll_back", "score_and_monitor", "train_and_deploy")
    assert dags == sorted(["explore", *(f"{whole}_{kind}" for kind in kinds)])
    (error,) = re.findall(r"^ERROR .*$", done.stdout, re.MULTILINE)
    assert error.startswith("ERROR broken_cycles.py") or "/broken_cycles.py" in error
    assert f"Cycle {broken}: metric='roc_acu' is no metric for the task binary. Write 'roc_auc'." in error
