"""Secrets Manager: passwords and keys that jobs read by name.

The store describes a secret and never holds its values: each version is a file of its own below
`secrets/`, which its owner alone can read and which is gone from the disk with the version.
"""
# ruff: noqa: N818 (the names of errors are the codes that AWS uses)

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import shutil
import string
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from local_sagemaker.errors import AwsError
from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation
from local_sagemaker.services.sagemaker.resources import tags_by_key
from local_sagemaker.storage.documents import moment
from local_sagemaker.storage.objects.files import write
from local_sagemaker.storage.store import Query, Resource, TakenError

KIND = "secret"
CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
DAY_S = 24 * 3600
#: days from a deletion to the end of the values, by default and as it may be asked for
RECOVERY_DAYS, RECOVERY_RANGE_DAYS = 30, (7, 30)
#: characters that a name may have besides letters and digits
NAME_MARKS = "/_+=.@-"
SUFFIX_LENGTH = 6
PAGE = 100
#: only the owner reads a value
VALUE_MODE = 0o600


class ResourceNotFoundException(AwsError):
    """There is no such secret, or no such version of it."""


class ResourceExistsException(AwsError):
    """The name is taken, or a version has another value already."""


class InvalidRequestException(AwsError):
    """The secret's state does not allow it."""


class InvalidParameterException(AwsError):
    """A value that Secrets Manager does not take."""


class InvalidNextTokenException(AwsError):
    """A token that no list has handed out."""


@operation("secretsmanager", "CreateSecret")
def create_secret(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Keep a secret under a name, with its first value if there is one."""
    name = parameters["Name"]
    if not all(one.isascii() and (one.isalnum() or one in NAME_MARKS) for one in name):
        raise InvalidParameterException(
            f"Invalid name {name!r}. It must be made of letters, digits, and the characters {NAME_MARKS}"
        )
    _purge_if_due(context, name)
    value = _given_value(parameters)
    if any(tag.keys() != {"Key", "Value"} for tag in parameters.get("Tags", [])):
        raise InvalidParameterException("A tag has a Key and a Value.")
    suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(SUFFIX_LENGTH))
    arn, now = context.arn("secretsmanager", f"secret:{name}-{suffix}"), time.time()
    document = {"Description": parameters.get("Description", ""), "VersionIdsToStages": {}}
    state = {"changed": now, "deletion": None}
    made = Resource(kind=KIND, name=name, arn=arn, created=now, modified=now, document=document, state=state)
    with suppress(TakenError), context.store.together():
        context.store.insert(made, tags_by_key(parameters.get("Tags")))
        return _answer(made) if value is None else _put(context, made, parameters, value, [CURRENT])
    return _repeated(context, name, parameters, value)


@operation("secretsmanager", "PutSecretValue")
def put_secret_value(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Give a secret a new version, by default the current one; the former is AWSPREVIOUS then."""
    value = _given_value(parameters)
    if value is None:
        raise InvalidRequestException("You must provide either SecretString or SecretBinary.")
    with context.store.together():
        secret = _usable(context, parameters["SecretId"])
        stages = parameters.get("VersionStages", [CURRENT])
        return _put(context, secret, parameters, value, stages) | {"VersionStages": stages}


@operation("secretsmanager", "GetSecretValue")
def get_secret_value(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with the value of a version, by default the current one."""
    secret = _usable(context, parameters["SecretId"])
    versions = secret.document["VersionIdsToStages"]
    wanted, stage = parameters.get("VersionId"), parameters.get("VersionStage")
    if wanted is None:
        stage = stage or CURRENT
        wanted = next((version for version, stages in versions.items() if stage in stages), None)
    if wanted not in versions or (stage and stage not in versions[wanted]):
        asked = f"staging label: {stage}" if stage else f"VersionId: {wanted}"
        raise ResourceNotFoundException(f"Secrets Manager can't find the specified secret value for {asked}")
    kept = _read(context, secret.name, str(wanted))
    return _answer(secret) | {
        "VersionId": wanted,
        "VersionStages": versions[wanted],
        "CreatedDate": moment(kept["created"]),
        "SecretString": kept.get("text"),
        "SecretBinary": base64.b64decode(kept["binary"]) if "binary" in kept else None,
    }


@operation("secretsmanager", "DescribeSecret")
def describe_secret(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with what is known of a secret, without any of its values."""
    return _described(context, _found(context, parameters["SecretId"]), "VersionIdsToStages")


@operation("secretsmanager", "ListSecrets")
def list_secrets(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer with one page of secrets, without their values, by the time of their creation."""
    if any("Key" not in wanted for wanted in parameters.get("Filters", [])):
        raise InvalidParameterException("A filter has a Key and Values.")
    key = parameters.get("SortBy", "created-date")
    query = Query(
        sort_by="name" if key == "name" else "created", is_descending=parameters.get("SortOrder") != "asc"
    )
    chosen = [
        secret
        for secret in context.store.search(KIND, query)
        if not _purge_if_due(context, secret.name)
        and (parameters.get("IncludePlannedDeletion") or secret.state["deletion"] is None)
        and all(_fits(context, secret, wanted) for wanted in parameters.get("Filters", []))
    ]
    if key == "last-changed-date":
        chosen.sort(key=lambda secret: secret.state["changed"], reverse=parameters.get("SortOrder") != "asc")
    token, size = parameters.get("NextToken", "0"), parameters.get("MaxResults", PAGE)
    if not (token.isascii() and token.isdecimal()):
        raise InvalidNextTokenException(f"The NextToken {token!r} is of no list of secrets.")
    begin, end = int(token), int(token) + size
    shown = [_described(context, secret, "SecretVersionsToStages") for secret in chosen[begin:end]]
    return {"SecretList": shown, "NextToken": str(end) if end < len(chosen) else None}


@operation("secretsmanager", "DeleteSecret")
def delete_secret(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Plan a secret's end after a window in which it can be restored, or end it at once if forced to."""
    days, is_forced = parameters.get("RecoveryWindowInDays"), parameters.get("ForceDeleteWithoutRecovery")
    if is_forced and days is not None:
        raise InvalidParameterException(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
        )
    least, most = RECOVERY_RANGE_DAYS
    if days is not None and not least <= days <= most:
        raise InvalidParameterException(f"RecoveryWindowInDays must be between {least} and {most} days.")
    if is_forced:
        return _forced(context, parameters["SecretId"])
    end = time.time() + (days or RECOVERY_DAYS) * DAY_S
    with context.store.together():
        secret = _usable(context, parameters["SecretId"])
        _change_state(context, secret, deletion=end)
    return _answer(secret) | {"DeletionDate": moment(end)}


@operation("secretsmanager", "RestoreSecret")
def restore_secret(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take back the deletion of a secret."""
    with context.store.together():
        secret = _found(context, parameters["SecretId"])
        _change_state(context, secret, deletion=None)
    return _answer(secret)


def _forced(context: Context, identity: str) -> dict[str, Any]:
    """End a secret at once; as on AWS it is no error that there is none."""
    try:
        secret = _found(context, identity)
    except ResourceNotFoundException:
        arn = context.arn("secretsmanager", f"secret:{identity}")
        return {"ARN": arn, "Name": identity, "DeletionDate": moment(time.time())}
    _purge(context, secret.name)
    return _answer(secret) | {"DeletionDate": moment(time.time())}


def _put(
    context: Context,
    secret: Resource,
    parameters: Mapping[str, Any],
    value: dict[str, Any],
    stages: list[str],
) -> dict[str, Any]:
    """Keep a version with its stages, which other versions lose; a version that is there must be equal."""
    version = parameters.get("ClientRequestToken") or str(uuid.uuid4())
    versions: dict[str, list[str]] = secret.document["VersionIdsToStages"]
    answer = _answer(secret) | {"VersionId": version}
    if version in versions:
        if _is_same(_read(context, secret.name, version), value):
            return answer
        raise ResourceExistsException(
            f"You can't use ClientRequestToken {version} because that value is already in use for another "
            "version of the secret."
        )
    content = json.dumps(value | {"created": time.time()}).encode()
    write(_file(context, secret.name, version), content, mode=VALUE_MODE)
    former = next((known for known, labels in versions.items() if CURRENT in labels), None)
    moved = {*stages, PREVIOUS} if CURRENT in stages and former else set(stages)
    staged = {known: [label for label in labels if label not in moved] for known, labels in versions.items()}
    if former and CURRENT in stages:
        staged[former].append(PREVIOUS)
    staged = {known: labels for known, labels in staged.items() if labels} | {version: list(stages)}
    document = {**secret.document, "VersionIdsToStages": staged}
    state = {**secret.state, "changed": time.time()}
    context.store.change(KIND, secret.name, lambda known: replace(known, document=document, state=state))
    kept = {_file(context, secret.name, known) for known in staged}
    for path in _folder(context, secret.name).iterdir():
        if path not in kept:  # no stage is left, or a crash left it behind
            path.unlink(missing_ok=True)
    return answer


def _repeated(
    context: Context, name: str, parameters: Mapping[str, Any], value: dict[str, Any] | None
) -> dict[str, Any]:
    """Answer a creation whose name is taken: its own repetition is no error."""
    secret = _usable(context, name)
    version = parameters.get("ClientRequestToken")
    is_known = version in secret.document["VersionIdsToStages"]
    if value and is_known and _is_same(_read(context, name, str(version)), value):
        return _answer(secret) | {"VersionId": version}
    raise ResourceExistsException(f"The operation failed because the secret {name} already exists.")


def _answer(secret: Resource) -> dict[str, Any]:
    return {"ARN": secret.arn, "Name": secret.name}


def _described(context: Context, secret: Resource, versions: str) -> dict[str, Any]:
    deletion = secret.state["deletion"]
    return _answer(secret) | {
        "Description": secret.document["Description"] or None,
        "CreatedDate": moment(secret.created),
        "LastChangedDate": moment(secret.state["changed"]),
        "DeletedDate": None if deletion is None else moment(deletion),
        "RotationEnabled": False,
        "Tags": [{"Key": key, "Value": value} for key, value in context.store.tags(secret.arn).items()],
        versions: secret.document["VersionIdsToStages"],
    }


def _fits(context: Context, secret: Resource, wanted: Mapping[str, Any]) -> bool:
    """Whether a secret has one of a filter's values as a prefix; a value that begins with ! excludes."""
    tags = context.store.tags(secret.arn)
    texts = {
        "name": [secret.name],
        "description": [secret.document["Description"]],
        "tag-key": [*tags],
        "tag-value": [*tags.values()],
    }[wanted["Key"]]
    return any(
        any(text.startswith(value.removeprefix("!")) for text in texts) is not value.startswith("!")
        for value in wanted.get("Values", [])
    )


def _read(context: Context, name: str, version: str) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(_file(context, name, version).read_bytes())
    except FileNotFoundError as error:
        raise ResourceNotFoundException(
            f"Secrets Manager can't find the specified secret value for VersionId: {version}"
        ) from error
    return kept


def _is_same(kept: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    return {**kept, **value} == kept and {"text", "binary"} & kept.keys() == value.keys()


def _given_value(parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    if "SecretString" in parameters and "SecretBinary" in parameters:
        raise InvalidParameterException("You can't specify both a SecretString and a SecretBinary.")
    if "SecretString" in parameters:
        return {"text": parameters["SecretString"]}
    if "SecretBinary" in parameters:
        return {"binary": base64.b64encode(parameters["SecretBinary"]).decode()}
    return None


def _found(context: Context, identity: str) -> Resource:
    """Return a secret by its name, its ARN, or its ARN without the six characters at the end."""
    prefix = context.arn("secretsmanager", "secret:")
    name = identity.removeprefix(prefix)
    secret = context.store.get(KIND, name)
    if secret is None and identity.startswith(prefix):
        known = context.store.get(KIND, name[: -SUFFIX_LENGTH - 1])
        secret = known if known is not None and known.arn == identity else None
    if secret is None or _purge_if_due(context, secret.name):
        raise ResourceNotFoundException("Secrets Manager can't find the specified secret.")
    return secret


def _usable(context: Context, identity: str) -> Resource:
    secret = _found(context, identity)
    if secret.state["deletion"] is not None:
        raise _planned(secret)
    return secret


def _planned(secret: Resource) -> InvalidRequestException:
    return InvalidRequestException(
        "You can't perform this operation on the secret because it was marked for deletion: "
        f"{secret.name}. RestoreSecret takes that back; ForceDeleteWithoutRecovery ends it at once."
    )


def _purge_if_due(context: Context, name: str) -> bool:
    """Forget a secret whose window has passed; return whether it had."""
    secret = context.store.get(KIND, name)
    if secret is None or (secret.state["deletion"] or float("inf")) > time.time():
        return False
    _purge(context, name)
    return True


def _purge(context: Context, name: str) -> None:
    """Remove the values, then what describes them, so that no value outlives its secret."""
    with suppress(FileNotFoundError):
        shutil.rmtree(_folder(context, name))
    context.store.delete(KIND, name)


def _change_state(context: Context, secret: Resource, **members: float | None) -> None:
    state = {**secret.state, **members, "changed": time.time()}
    context.store.change(KIND, secret.name, lambda known: replace(known, state=state))


def _folder(context: Context, name: str) -> Path:
    """Return where a secret's values are: the digest bears any name, and tells upper from lower case."""
    return context.root / "secrets" / hashlib.sha256(name.encode()).hexdigest()


def _file(context: Context, name: str, version: str) -> Path:
    return _folder(context, name) / hashlib.sha256(version.encode()).hexdigest()
