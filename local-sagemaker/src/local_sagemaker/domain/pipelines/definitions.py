"""A pipeline's definition: read, checked, and laid flat, with what each step waits for. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local_sagemaker.domain.pipelines.references import steps_of
from local_sagemaker.domain.pipelines.retries import RetryPolicy
from local_sagemaker.engine.workflows.caching import CacheConfig
from local_sagemaker.errors import ValidationException

#: types of steps that are carried out
TYPES = (
    *("Processing", "Training", "Tuning", "Transform", "Model", "RegisterModel"),
    *("Condition", "Fail"),
)
#: types of steps that make no resource
BARE = ("Condition", "Fail")
CASTS = {"String": str, "Integer": int, "Float": float}
TRUTHS = {"true": True, "false": False}
BRANCHES = {"IfSteps": True, "ElseSteps": False}


@dataclass(frozen=True)
class Step:
    """One step of a pipeline."""

    name: str
    type: str
    #: its arguments, with expressions; a condition's without its branches
    arguments: Mapping[str, Any]
    #: steps that must have succeeded before it
    waits_for: frozenset[str]
    #: conditions that must have come out so
    branches: tuple[tuple[str, bool], ...]
    #: the definition's other members of it
    given: Mapping[str, Any]
    cache: CacheConfig = field(default_factory=CacheConfig)
    #: in the order in which they are asked
    policies: tuple[RetryPolicy, ...] = ()


@dataclass(frozen=True)
class Definition:
    """A whole pipeline."""

    parameters: tuple[Mapping[str, Any], ...]
    #: in the order of the definition
    steps: tuple[Step, ...]

    @classmethod
    def read(cls, text: str) -> Definition:
        """The definition of a JSON text; ValidationException says what is wrong with it."""
        try:
            document = json.loads(text)
            steps = tuple(_flat(document["Steps"], ()))
            _check(steps)
            parameters = tuple(document.get("Parameters") or [])
            _check_parameters(parameters)
            return cls(parameters, tuple(_policed(step) for step in steps))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValidationException(
                f"Unable to parse pipeline definition: {type(error).__name__}: {error}. It must be JSON with "
                "Version, Parameters and Steps."
            ) from error

    def needed(self, selected: Iterable[str]) -> set[str]:
        """The steps that `selected` ones wait for, and so on; ValidationException if one is none."""
        by_name = {step.name: step for step in self.steps}
        unknown = sorted(set(selected) - by_name.keys())
        if unknown:
            raise ValidationException(f"The pipeline has no step {', '.join(unknown)} to be selected.")
        found: set[str] = set()
        left = set(selected)
        while left:
            waits = by_name[left.pop()].waits_for - found
            found |= waits
            left |= waits
        return found

    def without(self, names: Iterable[str]) -> Definition:
        """The definition without some steps, which nothing that stays waits for."""
        left = set(names)
        return replace(self, steps=tuple(step for step in self.steps if step.name not in left))

    def values(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The parameters of an execution, from what was given and the defaults."""
        known = {parameter["Name"]: parameter for parameter in self.parameters}
        unknown = sorted(given.keys() - known.keys())
        if unknown:
            raise ValidationException(
                f"Unknown parameters: {', '.join(unknown)}. The pipeline has {', '.join(known) or 'none'}."
            )
        found = {}
        for name, parameter in known.items():
            if name not in given and "DefaultValue" not in parameter:
                raise ValidationException(f"Missing value for the parameter {name}, which has no default.")
            value = given.get(name, parameter.get("DefaultValue"))
            found[name] = _cast(name, parameter, value)
        return found


def _cast(name: str, parameter: Mapping[str, Any], value: Any) -> Any:  # noqa: ANN401 (a parameter's value)
    kind = parameter.get("Type", "String")
    try:
        cast = TRUTHS[str(value).lower()] if kind == "Boolean" else CASTS[kind](value)
    except (KeyError, ValueError, TypeError) as error:
        raise ValidationException(f"The parameter {name} is {value!r}, which is no {kind}.") from error
    allowed = parameter.get("EnumValues")
    if allowed and cast not in allowed:
        raise ValidationException(f"The parameter {name} is {value!r}; it may be one of {allowed}.")
    return cast


def _flat(steps: list[Mapping[str, Any]], branches: tuple[tuple[str, bool], ...]) -> Iterator[Step]:
    for given in steps:
        name, kind = given["Name"], given["Type"]
        arguments = dict(given.get("Arguments", {}))
        inner = (
            {branch: arguments.pop(branch, None) or [] for branch in BRANCHES} if kind == "Condition" else {}
        )
        waits = {*steps_of(arguments), *given.get("DependsOn", []), *(owner for owner, _ in branches)}
        rest = {key: value for key, value in given.items() if key != "Arguments"}
        yield Step(name, kind, arguments, frozenset(waits), branches, rest)
        for branch, truth in BRANCHES.items():
            yield from _flat(inner.get(branch, []), (*branches, (name, truth)))


def _check_parameters(parameters: tuple[Mapping[str, Any], ...]) -> None:
    for parameter in parameters:
        kind, allowed = parameter.get("Type", "String"), parameter.get("EnumValues") or []
        if not isinstance(parameter["Name"], str) or not isinstance(allowed, list):
            raise TypeError(
                f"the parameter {parameter['Name']!r} needs a text as Name and a list as EnumValues"
            )
        if kind != "Boolean" and kind not in CASTS:
            raise ValidationException(
                f"The parameter {parameter['Name']} has the type {kind!r}. "
                f"There are Boolean, {', '.join(CASTS)}."
            )


def _policed(step: Step) -> Step:
    """A step with its rules for caches and retries, of which only resources have any."""
    policies = step.given.get("RetryPolicies", [])
    if policies and step.type in BARE:
        raise ValidationException(
            f"RetryPolicies of the step {step.name}: steps of the type {step.type} are not retried."
        )
    return replace(
        step,
        cache=CacheConfig.read(step.name, step.type, step.given.get("CacheConfig")),
        policies=tuple(RetryPolicy.read(step.name, policy) for policy in policies),
    )


def _check(steps: tuple[Step, ...]) -> None:
    names = [step.name for step in steps]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValidationException(f"Step names must be unique; {', '.join(doubled)} is there twice.")
    for step in steps:
        if step.type not in TYPES:
            raise ValidationException(
                f"The step {step.name} has the type {step.type}, which is not emulated locally. There are "
                f"{', '.join(TYPES)}."
            )
        unknown = sorted(step.waits_for - set(names))
        if unknown:
            raise ValidationException(
                f"The step {step.name} depends on {', '.join(unknown)}, which is no step."
            )
    left = {step.name: set(step.waits_for) for step in steps}
    while ready := [name for name, waits in left.items() if not waits & left.keys()]:
        for name in ready:
            del left[name]
    if left:
        raise ValidationException(f"Steps depend on each other in a circle: {', '.join(sorted(left))}.")
