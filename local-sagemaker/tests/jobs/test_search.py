"""Search finds training jobs, endpoints and model packages by any of their properties."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

from typing import Any

import pytest

from sagemaker_kit.jobs import Lab
from sagemaker_kit.refusals import refused


def names(answer: dict[str, Any]) -> list[str]:
    """The training jobs of an answer."""
    return [item["TrainingJob"]["TrainingJobName"] for item in answer["Results"]]


def where(*filters: tuple[str, ...], **more: Any) -> dict[str, Any]:
    """A search expression: (name, operator, value) each."""
    made = [dict(zip(("Name", "Operator", "Value"), one, strict=False)) for one in filters]
    return {"Filters": made, **more}


@pytest.fixture
def trained(lab: Lab) -> Any:
    """Three jobs with a metric, a hyperparameter and a tag each; the last one fails."""
    for number, name in enumerate(("a", "b", "c"), start=1):
        algorithm = {
            "TrainingImage": "script:1",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "validation:auc", "Regex": "auc=([0-9.]+)"}],
        }
        lab.train(
            name,
            f"echo auc=0.{number}; exit {number // 3}",
            AlgorithmSpecification=algorithm,
            HyperParameters={"depth": str(number * 5)},
            Tags=[{"Key": "owner.team", "Value": "air" if number < 3 else "sea"}],
        )
        lab.trained(name)
    return lab.sagemaker


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (where(("TrainingJobStatus", "Equals", "Completed")), {"a", "b"}),
        (where(("TrainingJobStatus", "NotEquals", "Completed")), {"c"}),
        (where(("Metrics.validation:auc", "GreaterThan", "0.15")), {"b", "c"}),
        (where(("HyperParameters.depth", "LessThanOrEqualTo", "10")), {"a", "b"}),
        (where(("Tags.owner.team", "Equals", "sea")), {"c"}),
        (where(("TrainingJobName", "In", "a, c")), {"a", "c"}),
        (
            where(("TrainingJobName", "Contains", "b"), ("TrainingJobName", "Contains", "c"), Operator="Or"),
            {"b", "c"},
        ),
        (where(("ModelArtifacts.S3ModelArtifacts", "Exists")), {"a", "b"}),
        (where(("FailureReason", "NotExists")), {"a", "b"}),
        (where(("CreationTime", "LessThan", "2001-01-01T00:00:00Z")), set()),
        (
            {
                "SubExpressions": [
                    where(("TrainingJobName", "Equals", "a")),
                    where(("TrainingJobStatus", "Equals", "Failed")),
                ],
                "Operator": "Or",
            },
            {"a", "c"},
        ),
    ],
)
def test_jobs_are_found_by_their_properties(
    trained: Any, expression: dict[str, Any], expected: set[str]
) -> None:
    """Status, metrics, hyperparameters, tags, names and times, joined by And and Or."""
    answer = trained.search(Resource="TrainingJob", SearchExpression=expression)
    assert set(names(answer)) == expected
    assert answer["TotalHits"] == {"Value": len(expected), "Relation": "EqualTo"}


def test_results_are_sorted_by_a_metric_and_come_in_pages(trained: Any) -> None:
    """boto3's own paginator goes through them, best first and worst first."""
    for order, expected in (("Descending", ["c", "b", "a"]), ("Ascending", ["a", "b", "c"])):
        pages = trained.get_paginator("search").paginate(
            Resource="TrainingJob",
            SortBy="Metrics.validation:auc",
            SortOrder=order,
            PaginationConfig={"PageSize": 2},
        )
        found = [names(page) for page in pages]
        assert [len(page) for page in found] == [2, 1]
        assert [name for page in found for name in page] == expected


def test_a_nested_filter_asks_one_item_for_all(lab: Lab) -> None:
    """Two channels that pass one filter each are no channel that passes both."""
    lab.put(x__a="1", y__b="2")

    def channel(name: str) -> dict[str, Any]:
        place = {"S3DataType": "S3Prefix", "S3Uri": f"s3://lab/{name}"}
        return {"ChannelName": name, "DataSource": {"S3DataSource": place}}

    lab.train("two", "true", InputDataConfig=[channel("x"), channel("y")])

    def found(name: str, uri: str) -> list[str]:
        nested = [
            {"Name": "InputDataConfig.ChannelName", "Operator": "Equals", "Value": name},
            {"Name": "InputDataConfig.DataSource.S3DataSource.S3Uri", "Operator": "Contains", "Value": uri},
        ]
        expression = {"NestedFilters": [{"NestedPropertyName": "InputDataConfig", "Filters": nested}]}
        return names(lab.sagemaker.search(Resource="TrainingJob", SearchExpression=expression))

    assert found("x", "lab/x") == ["two"]
    assert found("x", "lab/y") == []


def test_model_packages_are_found_by_approval_and_property(lab: Lab) -> None:
    """What a deployment asks the registry for."""
    client = lab.sagemaker
    client.create_model_package_group(ModelPackageGroupName="g", Tags=[{"Key": "k", "Value": "v"}])
    for status in ("Approved", "Rejected"):
        client.create_model_package(
            ModelPackageGroupName="g",
            ModelApprovalStatus=status,
            CustomerMetadataProperties={"key": status[0]},
        )
    approved = where(("ModelApprovalStatus", "Equals", "Approved"))
    [found] = client.search(Resource="ModelPackage", SearchExpression=approved)["Results"]
    assert found["ModelPackage"]["ModelPackageVersion"] == 1
    rejected = where(("CustomerMetadataProperties.key", "Equals", "R"))
    [found] = client.search(Resource="ModelPackage", SearchExpression=rejected)["Results"]
    assert found["ModelPackage"]["ModelPackageVersion"] == 2
    [found] = client.search(Resource="ModelPackageGroup")["Results"]
    assert found["ModelPackageGroup"]["Tags"] == [{"Key": "k", "Value": "v"}]
    assert client.search(Resource="Endpoint")["Results"] == []


@pytest.mark.parametrize(
    ("request_", "member"),
    [
        ({"Resource": "FeatureGroup"}, "FeatureGroup"),
        ({"Resource": "TrainingJob", "NextToken": "bm9uZQ=="}, "NextToken"),
        ({"Resource": "TrainingJob", "SortBy": "Colour"}, "Colour"),
        (
            {"Resource": "TrainingJob", "SearchExpression": where(("Colour.depth", "Equals", "1"))},
            "Colour.depth",
        ),
        (
            {"Resource": "TrainingJob", "SearchExpression": where(("TrainingJobName.first", "Equals", "x"))},
            "TrainingJobName.first",
        ),
        (
            {
                "Resource": "TrainingJob",
                "SearchExpression": {"SubExpressions": [where(("ResourceConfig.Colour", "Equals", "1"))]},
            },
            "ResourceConfig.Colour",
        ),
        ({"Resource": "Endpoint", "SearchExpression": where(("Metrics.a", "Equals", "1"))}, "Metrics.a"),
    ],
)
def test_what_cannot_be_searched_is_refused(lab: Lab, request_: dict[str, Any], member: str) -> None:
    """By name, as a client's mistake."""
    with refused("ValidationException", member):
        lab.sagemaker.search(**request_)
