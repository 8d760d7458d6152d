"""Whether a pipeline's definition can be carried out: every step, reference, function and condition in it.

This is asked when a definition is given, so that a mistake does not wait for the execution that comes to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_sagemaker.domain.pipelines import DefinitionError
from local_sagemaker.domain.pipelines.definitions import PipelineDefinition, PipelineStep
from local_sagemaker.domain.pipelines.expressions import COMPARISONS, NEGATED, PART, property_file

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
STEP = re.compile(r"Steps\.([^.\[\]]+)(.*)")
MEMBERS = (
    *("Name", "Type", "DisplayName", "Description", "DependsOn", "CacheConfig", "RetryPolicies"),
    "PropertyFiles",
)
#: type of step without a resource -> its arguments, branches left out, and its properties
ARGUMENTS = {"Condition": ("Conditions",), "Fail": ("ErrorMessage",)}
PROPERTIES = {"Condition": ("Outcome",), "Fail": ()}
FILE_MEMBERS = {"PropertyFileName", "OutputName", "FilePath"}
EXECUTION = (
    *("PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn"),
    *("StartDateTime", "CurrentDateTime"),
)
#: what a step of this type may know of its own job
JOB_NAMES = {"Training": "TrainingJobName", "Processing": "ProcessingJobName"}
FUNCTIONS = ("Std:Join", "Std:JsonGet")
#: type of condition -> its members beside Type; of Not, see NEGATED
CONDITIONS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(COMPARISONS, ("LeftValue", "RightValue")),
    "In": ("QueryValue", "Values"),
    "Not": (NEGATED[0],),
    "Or": ("Conditions",),
}
#: (type of step, path below the step) -> whether its description can have a value there
HasProperty = Callable[[str, str], bool]


@dataclass(frozen=True)
class _Names:
    """What the expressions of one place may refer to."""

    parameters: Collection[str]
    steps: Mapping[str, PipelineStep]
    execution: Collection[str]
    experiment: Collection[str]
    has_property: HasProperty


def check(definition: PipelineDefinition, has_property: HasProperty) -> None:
    """Raise DefinitionError, with the step's name, if the definition cannot be carried out as it stands."""
    parameters = [str(parameter["Name"]) for parameter in definition.parameters]
    repeated = sorted({name for name in parameters if parameters.count(name) > 1})
    if repeated:
        raise DefinitionError(f"Parameter names must be unique; {', '.join(repeated)} is there twice.")
    experiment, by_name = definition.experiment, {step.name: step for step in definition.steps}
    early = _Names(parameters, {}, EXECUTION, (), has_property)
    _refuse("PipelineExperimentConfig", _experiment_problems(experiment, early))
    for step in definition.steps:
        execution = (*EXECUTION, JOB_NAMES.get(step.type, EXECUTION[0]))
        names = _Names(parameters, by_name, execution, experiment, has_property)
        _refuse(f"The step {step.name}", _step_problems(step, names))


def _refuse(owner: str, problems: Iterator[str]) -> None:
    problem = next(problems, None)
    if problem is not None:
        raise DefinitionError(f"{owner}: {problem}")


def _experiment_problems(config: Mapping[str, Any], names: _Names) -> Iterator[str]:
    if config and config.keys() != {"ExperimentName", "TrialName"}:
        yield f"it has {', '.join(sorted(config))}. Give ExperimentName and TrialName."
    yield from expression_problems(config, names)


def _step_problems(step: PipelineStep, names: _Names) -> Iterator[str]:
    if NAME.fullmatch(step.name) is None:
        yield "a name has 1 to 64 letters, digits, hyphens and underscores. Give it another one."
    yield from _unknown(step.members, MEMBERS)
    yield from _file_problems(step)
    if step.type in ARGUMENTS:
        yield from _unknown(step.arguments, ARGUMENTS[step.type])
    if step.type == "Condition":
        conditions = step.arguments.get("Conditions")
        if not isinstance(conditions, list):
            yield f"Conditions must be a list of conditions, not {conditions!r}."
            return
        for condition in conditions:
            yield from condition_problems(condition, names)
    elif step.type == "Fail" and not _is_value(step.arguments.get("ErrorMessage", "")):
        yield f"ErrorMessage must be a text, not {step.arguments['ErrorMessage']!r}."
    else:
        yield from expression_problems(step.arguments, names)


def _unknown(members: Mapping[str, Any], known: Collection[str]) -> Iterator[str]:
    unknown = sorted(members.keys() - set(known))
    if unknown:
        yield f"it has no member {', '.join(unknown)}. There are {', '.join(known)}."


def _file_problems(step: PipelineStep) -> Iterator[str]:
    files = step.members.get("PropertyFiles") or []
    if files and step.type != "Processing":
        yield f"PropertyFiles belong to steps of the type Processing, not {step.type}."
    for file in files if isinstance(files, list) else [files]:
        if not isinstance(file, Mapping) or file.keys() != FILE_MEMBERS:
            yield f"PropertyFiles has {file!r}. Give a list with {', '.join(sorted(FILE_MEMBERS))} each."


def expression_problems(value: object, names: _Names) -> Iterator[str]:
    """Yield what is wrong with the references and functions in a value."""
    if isinstance(value, list):
        for item in value:
            yield from expression_problems(item, names)
    elif isinstance(value, Mapping):
        function = next((key for key in value if str(key).startswith("Std:")), None)
        if value.keys() == {"Get"}:
            yield from _reference_problems(value["Get"], names)
        elif function is None:
            for item in value.values():
                yield from expression_problems(item, names)
        elif value.keys() != {function} or function not in FUNCTIONS:
            yield f"{function} is no function alone in its object. Use one of {', '.join(FUNCTIONS)}."
        else:
            problems = _join_problems if function == "Std:Join" else _json_get_problems
            yield from problems(value[function], names)


def _join_problems(join: object, names: _Names) -> Iterator[str]:
    is_whole = isinstance(join, Mapping) and join.keys() == {"On", "Values"}
    if not is_whole or not isinstance(join["Values"], list) or not isinstance(join["On"], str):  # type: ignore[index]
        yield f"Std:Join needs a text On and a list Values, and has {join!r}."
        return
    yield from expression_problems(join["Values"], names)  # type: ignore[index]


def _json_get_problems(arguments: object, names: _Names) -> Iterator[str]:
    keys = set(arguments) if isinstance(arguments, Mapping) else set()
    if not isinstance(arguments, Mapping) or keys not in ({"PropertyFile", "Path"}, {"S3Uri", "Path"}):
        yield f"Std:JsonGet needs a Path, and either a PropertyFile or an S3Uri, and has {arguments!r}."
        return
    if "PropertyFile" in arguments:
        owner, file = property_file(arguments) or ("", "")
        files = names.steps[owner].members.get("PropertyFiles") or [] if owner in names.steps else []
        if file not in {one.get("PropertyFileName") for one in files if isinstance(one, Mapping)}:
            yield f"Std:JsonGet reads {arguments['PropertyFile']!r}, which is the property file of no step."
    else:
        yield from expression_problems(arguments["S3Uri"], names)
    path = arguments["Path"]
    if isinstance(path, str) and not is_path(path.removeprefix("$.")):
        yield f"Std:JsonGet has the Path {path!r}. Write it as in `metrics.auc[0].value`."
    yield from expression_problems(path, names)


def _reference_problems(path: object, names: _Names) -> Iterator[str]:
    root, _, name = path.partition(".") if isinstance(path, str) else ("", "", "")
    flat = {
        "Parameters": names.parameters,
        "Execution": names.execution,
        "PipelineExperimentConfig": names.experiment,
    }
    step = STEP.fullmatch(path) if isinstance(path, str) else None
    if root in flat and name not in flat[root]:
        known = ", ".join(sorted(set(flat[root]))) or "nothing"
        yield f"{path!r} refers to what is not there. {root} has {known} here."
    elif root not in flat and step is None:
        yield f"{path!r} refers to none of {', '.join(flat)}, Steps."
    elif step is not None and step[1] not in names.steps:
        yield f"{path!r} refers to the step {step[1]}, which there is none of here."
    elif step is not None:
        kind = names.steps[step[1]].type
        own = PROPERTIES.get(kind)
        below = step[2].removeprefix(".")
        if not (below in own if own is not None else is_path(below) and names.has_property(kind, below)):
            yield f"{path!r} refers to what no step of the type {kind} has."


def is_path(path: str) -> bool:
    """Whether a text is a path of names and positions, such as `a.b[0]['c']`."""
    end = 0
    for part in PART.finditer(path):
        if part.start() != end:
            return False
        end = part.end()
    return bool(path) and end == len(path)


def condition_problems(condition: object, names: _Names) -> Iterator[str]:
    """Yield what is wrong with a condition, and with those inside it."""
    kind = condition.get("Type") if isinstance(condition, Mapping) else None
    if not isinstance(condition, Mapping) or not isinstance(kind, str) or kind not in CONDITIONS:
        yield f"the condition {condition!r} is of no known type. Use one of {', '.join(CONDITIONS)}."
        return
    given = condition.keys() - {"Type"}
    wanted = CONDITIONS[kind]
    if given != set(wanted) and not (kind == "Not" and given == {NEGATED[1]}):
        yield f"the condition {kind} has {', '.join(sorted(given)) or 'nothing'}. Give {', '.join(wanted)}."
        return
    values = [condition[member] for member in sorted(given)]
    if kind in ("In", "Or") and not isinstance(values[-1], list):
        yield f"the condition {kind} needs a list as {wanted[-1]}, not {values[-1]!r}."
    elif kind in ("Not", "Or"):
        for inner in values if kind == "Not" else values[0]:
            yield from condition_problems(inner, names)
    else:
        for value in [*values[:-1], *values[-1]] if kind == "In" else values:
            if not _is_value(value):
                yield f"the condition {kind} compares {value!r}. Give a text, a number, or an expression."
        yield from expression_problems(values, names)


def _is_value(value: object) -> bool:
    return isinstance(value, (str, int, float)) or is_expression(value)


def is_expression(value: object) -> bool:
    """Whether a value is a reference or a function, whose value is known in an execution alone."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in ("Get", *FUNCTIONS)
