"""Pipeline definitions and their expressions."""
# ruff: noqa: ANN401 (an expression is any JSON)

from __future__ import annotations

import json
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.domain.pipelines import DefinitionError, checks
from local_sagemaker.domain.pipelines.definitions import PipelineDefinition
from local_sagemaker.domain.pipelines.expressions import (
    COMPARISONS,
    ExpressionError,
    ExpressionScope,
    holds,
    resolve,
)

SCOPE = ExpressionScope(
    parameters={"Depth": 3, "Name": "lab"},
    steps={
        "Train": {"ModelArtifacts": {"S3ModelArtifacts": "s3://lab/m.tar.gz"}},
        "Split": {
            "ProcessingOutputConfig": {
                "Outputs": [{"OutputName": "a.b", "S3Output": {"S3Uri": "s3://lab/a"}}]
            }
        },
    },
    execution={"PipelineExecutionId": "abc"},
    experiment={"TrialName": "t"},
    read=lambda step, name: json.dumps({"step": step, name: {"auc": [{"value": 0.9}]}}),
    read_object=lambda uri: json.dumps({"Result": uri}),
)


def get(path: str) -> dict[str, str]:
    """A reference."""
    return {"Get": path}


def json_get(path: str) -> dict[str, Any]:
    """A value of a property file."""
    return {"Std:JsonGet": {"PropertyFile": get("Steps.Eval.PropertyFiles.report"), "Path": path}}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (get("Parameters.Depth"), 3),
        (get("Steps.Train.ModelArtifacts.S3ModelArtifacts"), "s3://lab/m.tar.gz"),
        (get("Steps.Split.ProcessingOutputConfig.Outputs['a.b'].S3Output.S3Uri"), "s3://lab/a"),
        (get("Steps.Split.ProcessingOutputConfig.Outputs[0].OutputName"), "a.b"),
        (
            {"Std:Join": {"On": "/", "Values": ["s3:/", get("Parameters.Name"), get("Parameters.Depth")]}},
            "s3://lab/3",
        ),
        ({"a": [get("Execution.PipelineExecutionId"), {"b": 1}]}, {"a": ["abc", {"b": 1}]}),
        (json_get("report.auc[0].value"), 0.9),
        (get("PipelineExperimentConfig.TrialName"), "t"),
        ({"Std:JsonGet": {"S3Uri": "s3://lab/r.json", "Path": "Result"}}, "s3://lab/r.json"),
    ],
)
def test_expressions_have_values(expression: Any, expected: Any) -> None:
    """References, functions, and both within any structure."""
    assert resolve(expression, SCOPE) == expected


@pytest.mark.parametrize(
    "expression",
    [get("Steps.Train.Nothing"), get("Parameters.Other"), get("Elsewhere.x"), json_get("report.f1")],
)
def test_an_expression_without_a_value_is_an_error(expression: dict[str, Any]) -> None:
    """An empty text would end up in the step's request."""
    with pytest.raises(ExpressionError):
        resolve(expression, SCOPE)


def compare(kind: str, left: Any, right: Any) -> dict[str, Any]:
    """A comparison."""
    return {"Type": kind, "LeftValue": left, "RightValue": right}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (compare("GreaterThanOrEqualTo", get("Parameters.Depth"), 3), True),
        (compare("LessThan", get("Parameters.Depth"), "2.5"), False),
        (compare("Equals", get("Parameters.Name"), "lab"), True),
        ({"Type": "Not", "Condition": compare("Equals", 1, 1)}, False),
        ({"Type": "Not", "Expression": compare("Equals", 1, 1)}, False),
        ({"Type": "Not", "Condition": {"Type": "Not", "Condition": compare("Equals", 1, 1)}}, True),
        ({"Type": "In", "QueryValue": get("Parameters.Depth"), "Values": ["2", "3"]}, True),
        ({"Type": "Or", "Conditions": [compare("Equals", 1, 2), compare("GreaterThan", 2, 1)]}, True),
        ({"Type": "In", "QueryValue": get("Parameters.Name"), "Values": ["x", "lab"]}, True),
    ],
)
def test_conditions_are_decided(condition: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 (a parameter)
    """All conditions that the SDK writes."""
    assert holds(condition, SCOPE) is expected


def step(name: str, kind: str = "Fail", **more: Any) -> dict[str, Any]:
    """A step."""
    return {"Name": name, "Type": kind, "Arguments": {}, **more}


def test_a_step_waits_for_what_it_names_and_refers_to() -> None:
    """Also within a branch, whose steps wait for the condition."""
    inner = step("In", Arguments={"ErrorMessage": get("Steps.A.X")})
    branch = {"Conditions": [compare("Equals", get("Steps.B.X"), 1)], "IfSteps": [inner], "ElseSteps": []}
    steps = [step("A"), step("B", DependsOn=["A"]), step("If", "Condition", Arguments=branch)]
    read = {one.name: one for one in PipelineDefinition.parse(json.dumps({"Steps": steps})).steps}
    assert {name: set(one.depends_on) for name, one in read.items()} == {
        "A": set(),
        "B": {"A"},
        "If": {"B"},
        "In": {"A", "If"},
    }
    assert read["In"].branches == (("If", True),)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "Unable to parse"),
        ({"Parameters": []}, "Unable to parse"),
        ({"Steps": [step("A"), step("A")]}, "A is there twice"),
        ({"Steps": [step("A", "Lambda")]}, "step A has the type Lambda"),
        ({"Steps": [step("A", DependsOn=["B"])]}, "step A depends on B"),
        ({"Steps": [step("A", DependsOn=["B"]), step("B", DependsOn=["A"])]}, ": A, B"),
        ({"Steps": [step("A", DependsOn="B")]}, "step A: DependsOn must be a list, not 'B'"),
        ({"Steps": [step("A", Arguments="x")]}, "step A: Arguments must be an object, not 'x'"),
        ({"Steps": [{"Name": "A"}]}, "step 'A' has Type=None"),
        ({"Steps": ["A"]}, "step 'A' is no object"),
    ],
)
def test_a_definition_that_cannot_be_carried_out_is_refused(document: Any, message: str) -> None:
    """The error comes when it is created, not when it runs."""
    with pytest.raises(DefinitionError, match=message):
        PipelineDefinition.parse(document if isinstance(document, str) else json.dumps(document))


PARAMETERS = [
    {"Name": "Depth", "Type": "Integer", "DefaultValue": 3},
    {"Name": "Kind", "Type": "String", "EnumValues": ["a", "b"], "DefaultValue": "a"},
    {"Name": "Rate", "Type": "Float"},
    {"Name": "Warm", "Type": "Boolean", "DefaultValue": False},
]


def test_parameters_have_their_types_and_defaults() -> None:
    """An execution gives them as texts."""
    definition = PipelineDefinition.parse(json.dumps({"Parameters": PARAMETERS, "Steps": []}))
    assert definition.parameter_values({"Rate": "0.5", "Warm": "true"}) == {
        "Depth": 3,
        "Kind": "a",
        "Rate": 0.5,
        "Warm": True,
    }
    for values, message in (
        ({}, "parameter Rate"),
        ({"Rate": "fast"}, "Rate is 'fast', .* Float"),
        ({"Rate": "1", "Kind": "c"}, r"Kind is 'c'; .*\['a', 'b'\]"),
        ({"Rate": "1", "Other": "c"}, ": Other"),
    ):
        with pytest.raises(DefinitionError, match=message):
            definition.parameter_values(values)


def grafted(value: Any, path: list[int], graft: Any) -> Any:
    """Return the document with the part at `path` replaced."""
    if not path or not isinstance(value, dict | list) or not value:
        return graft
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = grafted(value[key], path[1:], graft)
    return copy


RULES = {
    "CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"},
    "RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 2, "ExpireAfterMin": 3}],
    "DependsOn": [],
}
LARGE = {
    "Parameters": [{"Name": "A", "Type": "Integer", "DefaultValue": 3, "EnumValues": [3, 4]}],
    "Steps": [
        {"Name": "P", "Type": "Processing", "Arguments": {"RoleArn": get("Parameters.A")}, **RULES},
        {
            "Name": "C",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [],
                "IfSteps": [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": get("Steps.P.X")}}],
                "ElseSteps": [],
            },
        },
    ],
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(st.integers(0, 9), max_size=7), ANYTHING)
def test_a_mutated_definition_is_parsed_or_refused(path: list[int], graft: Any) -> None:
    """Any JSON in any place is either parsed or refused."""
    with suppress(DefinitionError):
        definition = PipelineDefinition.parse(json.dumps(grafted(LARGE, path, graft)))
        definition.parameter_values({})
        definition.dependencies(step.name for step in definition.steps)
        checks.check(definition, lambda _kind, _path: True)


P = {
    "Name": "P",
    "Type": "Processing",
    "PropertyFiles": [{"PropertyFileName": "r", "OutputName": "o", "FilePath": "r.json"}],
}


def checked(value: Any, **more: Any) -> None:
    """Check a definition in which a processing step P comes before a Fail step F that has this message."""
    last = step("F", Arguments={"ErrorMessage": value}, **more)
    text = json.dumps({"Parameters": [{"Name": "A"}], "Steps": [P, last]})
    checks.check(PipelineDefinition.parse(text), lambda _kind, path: path.startswith("Known"))


def conditional(condition: Any) -> None:
    """Check a definition whose step C has this condition."""
    last = step("C", "Condition", Arguments={"Conditions": [condition]})
    text = json.dumps({"Parameters": [{"Name": "A"}], "Steps": [P, last]})
    checks.check(PipelineDefinition.parse(text), lambda _kind, path: path.startswith("Known"))


def of_file(file: Any, path: Any = "a.b") -> dict[str, Any]:
    """A value of a property file of P."""
    return {"Std:JsonGet": {"PropertyFile": get(f"Steps.P.PropertyFiles.{file}"), "Path": path}}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (get("Parameters.A"), None),
        (get("Parameters.B"), "'Parameters.B' refers to what is not there. Parameters has A"),
        (get("Execution.PipelineArn"), None),
        (get("Execution.TrainingJobName"), "Execution has CurrentDateTime"),
        (get("PipelineExperimentConfig.TrialName"), "PipelineExperimentConfig has nothing"),
        (get("Elsewhere.A"), "'Elsewhere.A' refers to none of"),
        ({"Get": 7}, "7 refers to none of"),
        (get("Steps.P.Known['a'][0].b"), None),
        (get("Steps.P.Unknown"), "no step of the type Processing has"),
        (get("Steps.P"), "no step of the type Processing has"),
        (get("Steps.P.Known["), "no step of the type Processing has"),
        ({"Std:Join": {"On": "/", "Values": ["a", get("Parameters.A")]}}, None),
        ({"Std:Join": {"On": "/", "Values": ["a", get("Parameters.B")]}}, "Parameters.B"),
        ({"Std:Join": {"Values": []}}, "Std:Join needs a text On and a list Values"),
        ({"Std:Join": {"On": "/", "Values": "a"}}, "Std:Join needs a text On and a list Values"),
        (of_file("r"), None),
        (of_file("s"), "the property file of no step"),
        (of_file("r", "a..b"), r"the Path 'a\.\.b'"),
        ({"Std:JsonGet": {"S3Uri": "s3://b/k", "Path": "Result"}}, None),
        ({"Std:JsonGet": {"Path": "Result"}}, "either a PropertyFile or an S3Uri"),
        ({"Std:Split": []}, "ErrorMessage must be a text"),
        (None, "ErrorMessage must be a text"),
        ([], "ErrorMessage must be a text"),
    ],
)
def test_references_and_functions_are_checked(value: Any, message: str | None) -> None:
    """The refusal names the step and what is wrong in it."""
    with (
        nullcontext() if message is None else pytest.raises(DefinitionError, match=f"The step F: .*{message}")
    ):
        checked(value)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        *((compare(kind, get("Parameters.A"), 1), None) for kind in COMPARISONS),
        ({"Type": "Not", "Condition": compare("Equals", of_file("r"), True)}, None),  # noqa: FBT003
        ({"Type": "Or", "Conditions": [compare("Equals", 1, 1)]}, None),
        ({"Type": "In", "QueryValue": get("Parameters.A"), "Values": [1, get("Steps.P.Known")]}, None),
        (compare("NotEquals", 1, 1), "of no known type. Use one of Equals"),
        ("Equals", "of no known type"),
        (
            {"Type": "Equals", "LeftValue": 1},
            "the condition Equals has LeftValue. Give LeftValue, RightValue",
        ),
        ({"Type": "Not", "Conditions": []}, "the condition Not has Conditions. Give Condition"),
        ({"Type": "Not", "Condition": compare("Equal", 1, 1)}, "of no known type"),
        ({"Type": "Or", "Conditions": compare("Equals", 1, 1)}, "Or needs a list as Conditions"),
        ({"Type": "Or", "Conditions": [compare("Equals", get("Parameters.B"), 1)]}, "Parameters.B"),
        ({"Type": "In", "QueryValue": 1, "Values": "12"}, "In needs a list as Values"),
        (compare("Equals", None, 1), "Equals compares None"),
        (compare("LessThan", [1], 1), r"LessThan compares \[1\]"),
    ],
)
def test_conditions_are_checked(condition: Any, message: str | None) -> None:
    """Each type with its members, at any depth, by the step's name."""
    with (
        nullcontext() if message is None else pytest.raises(DefinitionError, match=f"The step C: .*{message}")
    ):
        conditional(condition)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"Colour": "red"}, "no member Colour"),
        ({"PropertyFiles": P["PropertyFiles"]}, "PropertyFiles belong to steps of the type Processing"),
        ({"Name": "a.b"}, "1 to 64 letters"),
        ({"Arguments": {"Message": "x"}}, "no member Message"),
    ],
)
def test_members_of_a_step_are_checked(more: dict[str, Any], message: str) -> None:
    """What no step has, and what a step of another type has."""
    text = json.dumps({"Steps": [P, {**step("F"), **more}]})
    with pytest.raises(DefinitionError, match=rf"The step (F|a\.b): .*{message}"):
        checks.check(PipelineDefinition.parse(text), lambda _kind, _path: True)


def test_the_names_of_an_experiment_are_checked() -> None:
    """They refer to parameters and to the execution, and steps refer to them."""
    config = {"ExperimentName": get("Execution.PipelineName"), "TrialName": get("Parameters.A")}
    last = step("F", Arguments={"ErrorMessage": get("PipelineExperimentConfig.TrialName")})
    whole = {"Parameters": [{"Name": "A"}], "PipelineExperimentConfig": config, "Steps": [last]}
    checks.check(PipelineDefinition.parse(json.dumps(whole)), lambda _kind, _path: True)
    for wrong in ({**config, "TrialName": get("Steps.F.X")}, {"ExperimentName": "e"}):
        text = json.dumps({**whole, "PipelineExperimentConfig": wrong})
        with pytest.raises(DefinitionError, match="PipelineExperimentConfig: "):
            checks.check(PipelineDefinition.parse(text), lambda _kind, _path: True)


def test_depth_is_refused() -> None:
    """A text that nests too deeply is refused."""
    with pytest.raises(DefinitionError, match="Unable to parse"):
        PipelineDefinition.parse('{"Steps": ' + "[" * 100_000 + "]" * 100_000 + "}")
