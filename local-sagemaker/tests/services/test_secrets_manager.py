"""Secrets are kept by name and version, are durable, and are readable nowhere but in their own files."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import stat
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_sagemaker.storage.store import Store
from sagemaker_kit.refusals import refused
from sagemaker_kit.service import Service

#: found by a search through every file of the service's root
VALUE = "hunter2-\N{SNOWMAN}-never-elsewhere"
DATABASE = "sagemaker.sqlite"


@pytest.fixture(scope="module")
def shared_service(start_shared_service: Callable[..., Service]) -> Service:
    """The service of this module: starting one takes longer than a test."""
    return start_shared_service()


@pytest.fixture
def sagemaker(shared_service: Service) -> Service:
    """The service of this module without any secret."""
    secrets = shared_service.client("secretsmanager")
    for secret in secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
        secrets.delete_secret(SecretId=secret["Name"], ForceDeleteWithoutRecovery=True)
    return shared_service


@pytest.fixture
def client(sagemaker: Service) -> Any:
    """A client of Secrets Manager."""
    return sagemaker.client("secretsmanager")


def stages(client: Any, name: str) -> dict[str, list[str]]:
    """The stages of each version of a secret."""
    found: dict[str, list[str]] = client.describe_secret(SecretId=name)["VersionIdsToStages"]
    return found


@pytest.mark.parametrize("value", [{"SecretString": VALUE}, {"SecretBinary": b"\x00\xff\n"}])
def test_a_value_is_read_by_name_and_by_arn(client: Any, sagemaker: Service, value: dict[str, Any]) -> None:
    """Also after a restart, and by the ARN without its end."""
    made = client.create_secret(Name="shop/db", Tags=[{"Key": "team", "Value": "a"}], **value)
    sagemaker.restart()
    for identity in ("shop/db", made["ARN"], made["ARN"][:-7]):
        read = client.get_secret_value(SecretId=identity)
        assert value.items() <= read.items()
        assert read["VersionStages"] == ["AWSCURRENT"]
        assert read["VersionId"] == made["VersionId"]
    assert client.describe_secret(SecretId="shop/db")["Tags"] == [{"Key": "team", "Value": "a"}]


def test_the_former_value_stays_as_previous_and_older_ones_go(client: Any, sagemaker: Service) -> None:
    """As many files as there are versions with a stage."""
    client.create_secret(Name="key", SecretString="one")
    client.put_secret_value(SecretId="key", SecretString="two")
    client.put_secret_value(SecretId="key", SecretString="three")
    assert client.get_secret_value(SecretId="key")["SecretString"] == "three"
    previous = client.get_secret_value(SecretId="key", VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == "two"
    assert sorted(stages(client, "key").values()) == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    assert len([path for path in (sagemaker.root / "secrets").rglob("*") if path.is_file()]) == 2


def test_a_stage_of_ones_own_leaves_the_current_value(client: Any) -> None:
    """And moves from version to version."""
    client.create_secret(Name="key", SecretString="one")
    for value in ("two", "three"):
        client.put_secret_value(SecretId="key", SecretString=value, VersionStages=["next"])
    assert client.get_secret_value(SecretId="key")["SecretString"] == "one"
    assert client.get_secret_value(SecretId="key", VersionStage="next")["SecretString"] == "three"
    with refused("ResourceNotFoundException"):
        client.get_secret_value(SecretId="key", VersionStage="none")


def test_a_repeated_call_changes_nothing_and_another_value_is_refused(client: Any) -> None:
    """A token is a version: its repetition is answered alike, and no version ever changes."""
    token, other = str(uuid.uuid4()), str(uuid.uuid4())
    made = [client.create_secret(Name="key", SecretString="a", ClientRequestToken=token) for _ in range(2)]
    assert made[0]["VersionId"] == made[1]["VersionId"] == token
    taken = "ResourceExistsException"
    with refused(taken):
        client.create_secret(Name="key", SecretString="b", ClientRequestToken=token)
    with refused(taken):
        client.create_secret(Name="key", SecretString="a", ClientRequestToken=other)
    put = client.put_secret_value
    assert [put(SecretId="key", SecretString="b", ClientRequestToken=other)["VersionId"] for _ in "ab"] == [
        other,
        other,
    ]
    with refused(taken):
        put(SecretId="key", SecretString="c", ClientRequestToken=other)
    with refused(taken):
        put(SecretId="key", SecretBinary=b"b", ClientRequestToken=other)
    assert client.get_secret_value(SecretId="key")["SecretString"] == "b"


def test_a_value_is_in_its_file_alone(client: Any, sagemaker: Service) -> None:
    """Not in the database, logs, descriptions, lists or errors; others may not read the file."""
    client.create_secret(Name="key", SecretString=VALUE, Description="the shop's")
    client.put_secret_value(SecretId="key", SecretString=VALUE)
    client.get_secret_value(SecretId="key")
    told = [
        str(client.describe_secret(SecretId="key")),
        str(client.list_secrets()),
        sagemaker.log.read_text(),
    ]
    with pytest.raises(ClientError) as error:
        client.put_secret_value(SecretId="key", SecretString=VALUE * 4000)
    assert "***" in str(error.value)
    told += [str(error.value), sagemaker.log.read_text()]
    holders = []
    for path in filter(lambda path: path.is_file(), sagemaker.root.rglob("*")):
        content = path.read_bytes()
        if any(form in content for form in (VALUE.encode(), b"hunter2-\\u2603-never", b"hunter2-")):
            holders.append(path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {path.parent.parent.name for path in holders} == {"secrets"}
    assert not [text for text in told if "hunter2" in text]


def test_a_deleted_secret_can_be_restored_until_it_is_gone(client: Any, sagemaker: Service) -> None:
    """Nothing of it is read meanwhile; its name is taken; after the window it was never there."""
    client.create_secret(Name="key", SecretString="a")
    answer = client.delete_secret(SecretId="key", RecoveryWindowInDays=7)
    assert client.describe_secret(SecretId="key")["DeletedDate"] == answer["DeletionDate"]
    refusal = "InvalidRequestException"
    with refused(refusal):
        client.get_secret_value(SecretId="key")
    with refused(refusal):
        client.put_secret_value(SecretId="key", SecretString="b")
    with refused(refusal):
        client.create_secret(Name="key", SecretString="b")
    assert client.list_secrets()["SecretList"] == []
    [planned] = client.list_secrets(IncludePlannedDeletion=True)["SecretList"]
    assert planned["Name"] == "key"
    client.restore_secret(SecretId="key")
    assert client.get_secret_value(SecretId="key")["SecretString"] == "a"
    client.delete_secret(SecretId="key")
    with closing(Store(sagemaker.root / DATABASE)) as store:
        store.change(
            "secret", "key", lambda secret: replace(secret, state={**secret.state, "deletion": time.time()})
        )
    with refused("ResourceNotFoundException"):
        client.describe_secret(SecretId="key")
    client.create_secret(Name="key", SecretString="b")
    assert client.get_secret_value(SecretId="key")["SecretString"] == "b"


def test_a_forced_deletion_leaves_no_value_behind(client: Any, sagemaker: Service) -> None:
    """And is no error where there is nothing, as on AWS."""
    client.create_secret(Name="key", SecretString="a")
    for _ in range(2):
        assert client.delete_secret(SecretId="key", ForceDeleteWithoutRecovery=True)["Name"] == "key"
    assert not list((sagemaker.root / "secrets").iterdir())
    with refused("ResourceNotFoundException"):
        client.get_secret_value(SecretId="key")


def test_lists_are_filtered_sorted_and_paged(client: Any) -> None:
    """By prefixes of names, tags and descriptions; ! excludes."""
    for number in range(5):
        tags = [{"Key": "even", "Value": "yes"}] if number % 2 == 0 else []
        client.create_secret(Name=f"k{number}", SecretString="a", Description=f"d{number}", Tags=tags)
    client.create_secret(Name="other")

    def names(**parameters: Any) -> list[str]:
        pages = client.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 2}, **parameters)
        return [secret["Name"] for page in pages for secret in page["SecretList"]]

    assert names(SortBy="name", SortOrder="asc") == ["k0", "k1", "k2", "k3", "k4", "other"]
    assert names(SortBy="name", SortOrder="desc")[0] == "other"
    assert set(names(Filters=[{"Key": "name", "Values": ["k1", "o"]}])) == {"k1", "other"}
    assert set(names(Filters=[{"Key": "tag-key", "Values": ["even"]}])) == {"k0", "k2", "k4"}
    assert set(names(Filters=[{"Key": "description", "Values": ["!d"]}])) == {"other"}


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("create_secret", {"Name": "a b", "SecretString": "x"}, "InvalidParameterException"),
        (
            "create_secret",
            {"Name": "a", "SecretString": "x", "SecretBinary": b"x"},
            "InvalidParameterException",
        ),
        ("create_secret", {"Name": "a", "Tags": [{"Key": "x"}]}, "InvalidParameterException"),
        ("create_secret", {"Name": "a", "Tags": [{}]}, "InvalidParameterException"),
        ("put_secret_value", {"SecretId": "none", "SecretString": "x"}, "ResourceNotFoundException"),
        ("put_secret_value", {"SecretId": "empty"}, "InvalidRequestException"),
        ("get_secret_value", {"SecretId": "empty"}, "ResourceNotFoundException"),
        ("delete_secret", {"SecretId": "empty", "RecoveryWindowInDays": 3}, "InvalidParameterException"),
        (
            "delete_secret",
            {"SecretId": "empty", "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True},
            "InvalidParameterException",
        ),
        ("list_secrets", {"Filters": [{"Values": ["x"]}]}, "InvalidParameterException"),
        ("list_secrets", {"NextToken": "x"}, "InvalidNextTokenException"),
    ],
)
def test_refusals(client: Any, operation: str, parameters: dict[str, Any], code: str) -> None:
    """Each with AWS's code."""
    client.create_secret(Name="empty")
    with refused(code):
        getattr(client, operation)(**parameters)


def test_replicas_are_refused(client: Any) -> None:
    """There is one region here."""
    regions = [{"Region": "eu-west-1"}]
    with refused("ValidationException", "AddReplicaRegions"):
        client.create_secret(Name="a", SecretString="x", AddReplicaRegions=regions)
