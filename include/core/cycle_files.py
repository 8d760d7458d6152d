"""What the modules of a cycle's package say, read from their syntax trees: before any job could find out.

Nothing is imported, so that parsing a DAG stays light, and nothing is guessed: what is computed is left to
the job. Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from include.core.checks import close_match, show
from include.core.tasks import Task

#: what each module has to offer, as include/cycles/__init__.py says; of functions, how many arguments they
#: are called with
OFFERS: Mapping[str, Mapping[str, int | None]] = MappingProxyType(
    {
        "source": {"tables": 2},
        "schema": {"FACTS": None, "TABLES": None},
        "cleaning": {"RULES": None},
        "features": {"SIGNATURE": None, "COMBINED": None, "LABEL": None, "CLASSES": None, "combine": 1},
        "joining": {"build": 1},
        "estimator": {"SLICES": None, "pipeline": 1},
    }
)
#: what a module may offer
OPTIONS: Mapping[str, Mapping[str, int | None]] = MappingProxyType({"estimator": {"fit": 5}})
KINDS = ("number", "string")
SEE = "see include/cycles/__init__.py."


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What of a cycle's description its package must agree with."""

    task: Task
    #: names of the tables of a FileSource; None where source.py gives them
    tables: Collection[str] | None
    #: columns that have floors of their own
    floors: Collection[str]
    #: columns of the facets
    facets: Collection[str]
    #: columns that may be in no file
    private: Collection[str]
    #: names of the hyperparameters
    hyperparameters: Collection[str]


class _Module:
    """The names that a module binds, and the values that stand in it literally."""

    def __init__(self, tree: ast.Module) -> None:
        self.names: dict[str, list[ast.AST]] = {}
        #: whether every name is known
        self.is_known = True
        #: all texts that stand in it; None where more may be made, by f-strings or loops
        self.texts: set[str] | None = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr | ast.comprehension | ast.For):
                self.texts = None
            elif self.texts is not None and isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.texts.add(node.value)
        self._bind(tree.body)

    def _bind(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.is_known &= statement.name != "__getattr__"
                self.names.setdefault(statement.name, []).append(statement)
            elif isinstance(statement, ast.Import | ast.ImportFrom):
                self.is_known &= all(alias.name != "*" for alias in statement.names)
                for alias in statement.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    self.names.setdefault(name, []).append(statement)
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                value = statement.value
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                is_plain = len(targets) == 1 and isinstance(targets[0], ast.Name)
                for name in _bound(targets if value else []):
                    self.names.setdefault(name, []).append(value if is_plain and value else statement)
            else:
                self._bind_inside(statement)

    def _bind_inside(self, statement: ast.stmt) -> None:
        """Bind what other statements may bind, or change, without a value that would be known."""
        for node in ast.walk(statement):
            bound = node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else None
            # `TABLES["more"] = ...`, `SLICES += ...` and `NAMES.append(...)` change what stood there
            bound = node.id if isinstance(node, ast.Name) else bound
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.is_known = False
            if bound:
                self.names.setdefault(bound, []).append(statement)

    def value(self, name: str) -> Any:  # noqa: ANN401 - whatever stands there
        """Return the value that a name is given once and literally; None if it is not known."""
        node = self._only(name)
        try:
            return None if node is None else ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError):
            return None

    def keys(self, name: str) -> list[str] | None:
        """Return the keys of a dict that stands there, whatever its values are; None if not known."""
        node = self._only(name)
        if not isinstance(node, ast.Dict):
            return None
        values = [key.value for key in node.keys if isinstance(key, ast.Constant)]
        keys = [value for value in values if isinstance(value, str)]
        return keys if len(keys) == len(node.keys) else None

    def function(self, name: str) -> ast.FunctionDef | None:
        """Return a function that is defined once; None if it is not known."""
        node = self._only(name)
        return node if isinstance(node, ast.FunctionDef) and not node.decorator_list else None

    def _only(self, name: str) -> ast.expr | ast.FunctionDef | None:
        nodes = self.names.get(name, [])
        only = nodes[0] if len(nodes) == 1 else None
        return only if isinstance(only, ast.expr | ast.FunctionDef) else None


#: a module of which nothing is known
NOTHING = _Module(ast.Module(body=[], type_ignores=[]))


def _bound(targets: Sequence[ast.expr]) -> Iterator[str]:
    for target in targets:
        yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


@lru_cache(maxsize=128)
def _read(path: Path, stamp: tuple[int, int]) -> _Module | str:  # noqa: ARG001 - the stamp is part of the key
    """Return a module, or why it cannot be read."""
    try:
        return _Module(ast.parse(path.read_bytes()))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return (
            f"{path.name} is no Python{f' in line {line}' if line else ''}: {getattr(error, 'msg', error)}."
        )


def package_faults(folder: Path, expected: Expected | None) -> list[str]:
    """Return what of a cycle's package cannot work, or does not agree with its description.

    :param expected: None where the description itself cannot be read: then only what the modules must offer
    """
    modules: dict[str, _Module] = {}
    faults = []
    for name in OFFERS:
        path = folder / f"{name}.py"
        if name == "source" and (expected is None or expected.tables is not None):
            continue
        if not path.is_file():
            wanted = ", ".join(OFFERS[name])
            faults.append(
                f"there is no {path.name}. Write it, with {wanted}: see include/cycles/__init__.py."
            )
            continue
        status = path.stat()
        module = _read(path, (status.st_mtime_ns, status.st_size))
        if isinstance(module, str):
            faults.append(module)
        else:
            modules[name] = module
            faults += _offer_faults(name, module)
    faults += [*_table_faults(modules, expected), *_column_faults(modules, expected)]
    return faults if expected is None else [*faults, *_name_faults(modules, expected)]


def _offer_faults(name: str, module: _Module) -> Iterator[str]:
    """Yield what a module lacks, and functions that cannot be called as they will be."""
    for offer, arguments in {**OFFERS[name], **OPTIONS.get(name, {})}.items():
        if offer in OFFERS[name] and offer not in module.names and module.is_known:
            near = close_match(offer, module.names) if module.names else ""
            meant = near.removeprefix("Write '").removesuffix("'.") if near.startswith("Write '") else None
            hint = f"It has {meant}: rename that." if meant else SEE
            yield f"{name}.py has no {offer}. {hint}"
        function = module.function(offer)
        if arguments is None or function is None:
            continue
        places = [*function.args.posonlyargs, *function.args.args]
        least = len(places) - len(function.args.defaults)
        most = float("inf") if function.args.vararg else len(places)
        if not least <= arguments <= most or _required_keywords(function):
            yield f"{name}.py: {offer} is called with {arguments} arguments, which it does not take."


def _required_keywords(function: ast.FunctionDef) -> bool:
    return any(default is None for default in function.args.kw_defaults)


def _table_faults(modules: Mapping[str, _Module], expected: Expected | None) -> Iterator[str]:
    """Yield where source, schema and rules do not name the same tables."""
    if "schema" not in modules:
        return
    tables, facts = modules["schema"].keys("TABLES"), modules["schema"].value("FACTS")
    if tables is None:
        return
    if facts is not None and facts not in tables:
        yield f"schema.py: FACTS={show(facts)} is no table of TABLES. {close_match(facts, tables)}"
    others = {
        "cleaning.py: RULES": modules["cleaning"].keys("RULES") if "cleaning" in modules else None,
        "source.tables": expected.tables if expected else None,
    }
    for name, given in others.items():
        for table in [] if given is None else sorted(set(tables) - set(given)):
            yield f"{name} lacks the table {table!r}, which TABLES in schema.py has. Add it."
        for table in [] if given is None else sorted(set(given) - set(tables), key=str):
            near = close_match(table, tables)
            yield f"{name} has a table {table!r}, which TABLES in schema.py lacks. {near}"


def _column_faults(modules: Mapping[str, _Module], expected: Expected | None) -> Iterator[str]:
    """Yield what is wrong with the names of columns and classes."""
    features, estimator = modules.get("features", NOTHING), modules.get("estimator", NOTHING)
    signature = features.keys("SIGNATURE")
    rows = {
        "features.py: COMBINED": features.value("COMBINED"),
        "features.py: CLASSES": features.value("CLASSES"),
        "estimator.py: SLICES": estimator.value("SLICES"),
    }
    for name, value in rows.items():
        if value is not None and not _are_texts(value):
            yield f"{name}={show(value)} is no tuple of different texts. Write it like ('one', 'two')."
    combined, classes, slices = (value if _are_texts(value) else None for value in rows.values())
    if signature is not None:
        yield from _signature_faults(features, signature)
        yield from _unknown("estimator.py: SLICES", slices or (), signature, "SIGNATURE in features.py")
    if expected and classes is not None and (fault := expected.task.class_fault(len(classes))):
        yield fault
    if expected is not None and slices is not None:
        yield from _unknown("promotion.slice_floors", expected.floors, slices, "SLICES in estimator.py")
    if expected is not None and signature is not None and combined is not None:
        columns = [*signature, *combined]
        yield from _unknown("monitoring.facets", expected.facets, columns, "SIGNATURE and COMBINED")


def _name_faults(modules: Mapping[str, _Module], expected: Expected) -> Iterator[str]:
    """Yield names of the description that nothing in the package has, and that would do nothing unnoticed."""
    texts = [module.texts for name, module in modules.items() if name != "estimator"]
    if not any(known is None for known in texts):
        known = sorted({text for known in texts for text in known or () if text.isidentifier()})
        yield from _unknown("monitoring.private", expected.private, known, "the package")
    function = modules.get("estimator", NOTHING).function("pipeline")
    read = None if function is None else _keys_read(function)
    if read is not None:
        where = "pipeline in estimator.py"
        yield from _unknown("hyperparameters", expected.hyperparameters, sorted(read), where)


def _keys_read(function: ast.FunctionDef) -> set[str] | None:
    """Return what a function reads of the mapping that it is given first; None if that is not known."""
    if not function.args.args:
        return None
    given, keys, uses = function.args.args[0].arg, [], 0
    for node in ast.walk(function):
        uses += isinstance(node, ast.Name) and node.id == given
        access = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            access = (node.func.value, node.args[0]) if node.args else None
        elif isinstance(node, ast.Subscript):
            access = (node.value, node.slice)
        if access and isinstance(access[0], ast.Name) and access[0].id == given:
            keys.append(access[1].value if isinstance(access[1], ast.Constant) else None)
    texts = {key for key in keys if isinstance(key, str)}
    return texts if len(keys) == uses and None not in keys else None


def _signature_faults(features: _Module, signature: Sequence[str]) -> Iterator[str]:
    for column, kind in (features.value("SIGNATURE") or {}).items():
        if kind not in KINDS:
            near = close_match(kind, KINDS)
            yield f"features.py: SIGNATURE[{column!r}]={show(kind)} is no kind of column. {near}"
    if (label := features.value("LABEL")) in signature:
        yield f"features.py: SIGNATURE has the label {label!r}, which no client knows. Take it out."


def _are_texts(value: object) -> bool:
    is_row = isinstance(value, tuple | list) and all(isinstance(part, str) and part for part in value)
    return is_row and len(set(value)) == len(value)  # type: ignore[arg-type, call-overload] # it is one


def _unknown(name: str, given: Collection[str], known: Collection[str], where: str) -> Iterator[str]:
    for column in sorted(set(given) - set(known)):
        advice = close_match(column, known) if known else "Take it out."
        yield f"{name} has {column!r}, which {where} lacks. {advice}"
