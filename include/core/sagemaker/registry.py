"""The registry's word about a version, kept in step with the ledger.

A promoted version is Approved; a refused one, or one that was rolled back, is Rejected. A superseded version
stays Approved, since production may go back to it. Its model card goes along: Approved or Archived.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Literal

from include.core.documents.card import ModelCard
from include.core.documents.manifest import KeyRecord

Approval = Literal["Approved", "Rejected"]
CARD_STATUS = {"Approved": "Approved", "Rejected": "Archived"}
#: CustomerMetadataProperties take no longer value
VALUE_LIMIT = 256
#: ModelPackageDescription takes no longer text
DESCRIPTION_LIMIT = 1024
#: what a description has before the URI of its model
MODEL_MARK = " Model: "
#: how far the clocks of Airflow and of the registry may differ
CLOCK_SKEW = timedelta(hours=1)


def version_description(text: str, model_uri: str) -> str:
    """Return the description of a version, which names its model: lists show nothing else that does."""
    mark = f"{MODEL_MARK}{model_uri}"
    return text[: DESCRIPTION_LIMIT - len(mark)] + mark


def find_version(api: Any, group: str, model_uri: str, since: datetime) -> str | None:  # noqa: ANN401 - a boto3 client
    """Return the ARN of a model's version, or None if there is none.

    Lists what was registered since the first decision about the model, a hundred versions a request. Only
    versions whose description names no model, as those of version 0.1.0, are described one by one.

    :param since: when the first decision about the model was made
    """
    pages = api.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group,
        CreationTimeAfter=since - CLOCK_SKEW,
        SortBy="CreationTime",
        SortOrder="Descending",
        PaginationConfig={"PageSize": 100},
    )
    for summary in (item for answer in pages for item in answer["ModelPackageSummaryList"]):
        _, mark, named = summary.get("ModelPackageDescription", "").rpartition(MODEL_MARK)
        if (named if mark else _model_of(api, summary["ModelPackageArn"])) == model_uri:
            return str(summary["ModelPackageArn"])
    return None


def _model_of(api: Any, version: str) -> str:  # noqa: ANN401 - a boto3 client
    package = api.describe_model_package(ModelPackageName=version)
    return str(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])


def set_approval(api: Any, version: str, approval: Approval, why: str = "") -> bool:  # noqa: ANN401 - a boto3 client
    """Change a version's approval and its card's status; return whether there was anything to change."""
    package = api.describe_model_package(ModelPackageName=version)
    if package["ModelApprovalStatus"] == approval:
        return False
    request: dict[str, Any] = {"ModelPackageArn": version, "ModelApprovalStatus": approval}
    if why:
        request["ApprovalDescription"] = why[:1024]
    if card := package.get("ModelCard"):
        # both members: what an update names is replaced as a whole
        request["ModelCard"] = {**card, "ModelCardStatus": CARD_STATUS[approval]}
    api.update_model_package(**request)
    return True


def model_card(card: ModelCard, approval: Approval) -> dict[str, str]:
    """Return the member ModelCard of CreateModelPackage."""
    text = json.dumps(card.as_json(), sort_keys=True, allow_nan=False)
    return {"ModelCardContent": text, "ModelCardStatus": CARD_STATUS[approval]}


def lineage(record: KeyRecord | None, step: str) -> dict[str, str]:
    """Return the digests that went into a step's key, from the key's record."""
    if not record:
        return {}
    inputs = {f"{step}_input_{name}": digest for name, digest in record.inputs.items()}
    digests = {f"{step}_code": record.code, f"{step}_requirements": record.environment, **inputs}
    return {name: text for name, text in digests.items() if len(text) <= VALUE_LIMIT}
