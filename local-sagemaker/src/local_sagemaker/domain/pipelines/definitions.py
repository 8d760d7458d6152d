"""A pipeline's definition: parsed, checked and flattened, with the dependencies of each step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local_sagemaker.domain.pipelines import DefinitionError
from local_sagemaker.domain.pipelines.expressions import referenced_steps
from local_sagemaker.domain.pipelines.step_policies import CacheConfig, RetryPolicy

#: types of steps that are emulated
STEP_TYPES = (
    *("Processing", "Training", "Tuning", "Transform", "Model", "RegisterModel"),
    *("Condition", "Fail"),
)
#: types of steps that create no resource
WITHOUT_RESOURCE = ("Condition", "Fail")
CASTS = {"String": str, "Integer": int, "Float": float}
BOOLEANS = {"true": True, "false": False}
#: conditions by name, each with an outcome
Branches = tuple[tuple[str, bool], ...]
BRANCHES = {"IfSteps": True, "ElseSteps": False}


@dataclass(frozen=True)
class PipelineStep:
    """One step of a pipeline."""

    name: str
    type: str
    #: its Arguments, expressions included; those of a condition without its branches
    arguments: Mapping[str, Any]
    #: names of the steps that must succeed before it
    depends_on: frozenset[str]
    #: conditions on its way, each with the outcome that leads to it
    branches: Branches
    #: the other members of the step in the definition
    members: Mapping[str, Any]
    cache: CacheConfig = field(default_factory=CacheConfig)
    #: the first one that covers a fault decides
    retry_policies: tuple[RetryPolicy, ...] = ()


@dataclass(frozen=True)
class PipelineDefinition:
    """A whole pipeline definition."""

    parameters: tuple[Mapping[str, Any], ...]
    #: in the order of the definition
    steps: tuple[PipelineStep, ...]
    #: ExperimentName and TrialName, expressions included; empty if executions have no trial
    experiment: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> PipelineDefinition:
        """Parse and check a JSON text; raise DefinitionError if it is not a valid definition."""
        try:
            document = json.loads(text)
            steps = tuple(_flatten(document["Steps"], ()))
            experiment = dict(document.get("PipelineExperimentConfig") or {})
            _check_steps(steps)
            parameters = tuple(document.get("Parameters") or [])
            _check_parameters(parameters)
            return cls(parameters, tuple(_with_policies(step) for step in steps), experiment)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DefinitionError(
                f"Unable to parse pipeline definition: {type(error).__name__}: {error}. It must be JSON with "
                "Version, Parameters and Steps."
            ) from error

    def dependencies(self, selected: Iterable[str]) -> set[str]:
        """Return all steps that these depend on, transitively; raise DefinitionError for unknown names."""
        by_name = {step.name: step for step in self.steps}
        unknown = sorted(set(selected) - by_name.keys())
        if unknown:
            raise DefinitionError(f"The pipeline has no step {', '.join(unknown)} to be selected.")
        dependencies: set[str] = set()
        left = set(selected)
        while left:
            new = by_name[left.pop()].depends_on - dependencies
            dependencies |= new
            left |= new
        return dependencies

    def without(self, names: Iterable[str]) -> PipelineDefinition:
        """Return the definition without these steps, which no other step depends on."""
        removed = set(names)
        return replace(self, steps=tuple(step for step in self.steps if step.name not in removed))

    def parameter_values(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Return the parameters of an execution: the given ones, then the defaults."""
        known = {parameter["Name"]: parameter for parameter in self.parameters}
        unknown = sorted(given.keys() - known.keys())
        if unknown:
            raise DefinitionError(
                f"Unknown parameters: {', '.join(unknown)}. The pipeline has {', '.join(known) or 'none'}."
            )
        values = {}
        for name, parameter in known.items():
            if name not in given and "DefaultValue" not in parameter:
                raise DefinitionError(f"Missing value for the parameter {name}, which has no default.")
            value = given.get(name, parameter.get("DefaultValue"))
            kind = parameter.get("Type", "String")
            try:
                cast = BOOLEANS[str(value).lower()] if kind == "Boolean" else CASTS[kind](value)
            except (KeyError, ValueError, TypeError) as error:
                raise DefinitionError(
                    f"The parameter {name} is {value!r}, which is not of the type {kind}."
                ) from error
            allowed = parameter.get("EnumValues")
            if allowed and cast not in allowed:
                raise DefinitionError(f"The parameter {name} is {value!r}; it may be one of {allowed}.")
            values[name] = cast
        return values


def _flatten(
    steps: list[Mapping[str, Any]], branches: tuple[tuple[str, bool], ...]
) -> Iterator[PipelineStep]:
    for step in steps:
        _check_shape(step)
        name, kind = step["Name"], step["Type"]
        arguments = dict(step.get("Arguments") or {})
        inner = (
            {branch: arguments.pop(branch, None) or [] for branch in BRANCHES} if kind == "Condition" else {}
        )
        conditions = (condition for condition, _ in branches)
        depends_on = {*referenced_steps(arguments), *(step.get("DependsOn") or []), *conditions}
        members = {key: value for key, value in step.items() if key != "Arguments"}
        yield PipelineStep(name, kind, arguments, frozenset(depends_on), branches, members)
        for branch, outcome in BRANCHES.items():
            yield from _flatten(inner.get(branch, []), (*branches, (name, outcome)))


def _check_shape(step: object) -> None:
    """Raise DefinitionError, with its name, for a step whose members are not of their types."""
    if not isinstance(step, Mapping):
        raise DefinitionError(f"The step {step!r} is no object. Give it a Name, a Type and Arguments.")
    for member in ("Name", "Type"):
        if not isinstance(step.get(member), str):
            raise DefinitionError(
                f"The step {step.get('Name')!r} has {member}={step.get(member)!r}. Give it a text."
            )
    arguments, lists = step.get("Arguments") or {}, {"DependsOn": step.get("DependsOn") or []}
    if not isinstance(arguments, Mapping):
        raise DefinitionError(f"The step {step['Name']}: Arguments must be an object, not {arguments!r}.")
    if step["Type"] == "Condition":
        lists |= {branch: arguments.get(branch) or [] for branch in BRANCHES}
    for member, value in lists.items():
        if not isinstance(value, list) or (
            member == "DependsOn" and not all(isinstance(name, str) for name in value)
        ):
            raise DefinitionError(f"The step {step['Name']}: {member} must be a list, not {value!r}.")


def _check_parameters(parameters: tuple[Mapping[str, Any], ...]) -> None:
    for parameter in parameters:
        kind, allowed = parameter.get("Type", "String"), parameter.get("EnumValues") or []
        if not isinstance(parameter["Name"], str) or not isinstance(allowed, list):
            raise TypeError(
                f"the parameter {parameter['Name']!r} needs a text as Name and a list as EnumValues"
            )
        if kind != "Boolean" and kind not in CASTS:
            raise DefinitionError(
                f"The parameter {parameter['Name']} has the type {kind!r}. "
                f"Use one of Boolean, {', '.join(CASTS)}."
            )


def _with_policies(step: PipelineStep) -> PipelineStep:
    """Return the step with its CacheConfig and RetryPolicies, which only steps with a resource may have."""
    policies = step.members.get("RetryPolicies", [])
    if policies and step.type in WITHOUT_RESOURCE:
        raise DefinitionError(
            f"RetryPolicies of the step {step.name}: steps of the type {step.type} are not retried."
        )
    return replace(
        step,
        cache=CacheConfig.parse(step.name, step.type, step.members.get("CacheConfig")),
        retry_policies=tuple(RetryPolicy.parse(step.name, policy) for policy in policies),
    )


def _check_steps(steps: tuple[PipelineStep, ...]) -> None:
    names = [step.name for step in steps]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DefinitionError(f"Step names must be unique; {', '.join(repeated)} is there twice.")
    for step in steps:
        if step.type not in STEP_TYPES:
            raise DefinitionError(
                f"The step {step.name} has the type {step.type}, which is not emulated locally. Use one of "
                f"{', '.join(STEP_TYPES)}."
            )
        unknown = sorted(step.depends_on - set(names))
        if unknown:
            raise DefinitionError(f"The step {step.name} depends on {', '.join(unknown)}, which is no step.")
    left = {step.name: set(step.depends_on) for step in steps}
    while ready := [name for name, depends_on in left.items() if not depends_on & left.keys()]:
        for name in ready:
            del left[name]
    if left:
        raise DefinitionError(f"Steps depend on each other in a circle: {', '.join(sorted(left))}.")
