"""What the registry says of a version, kept in step with the ledger.

Promoted is Approved, refused and rolled back are Rejected. A superseded version stays Approved: production
may go back to it. Its model card goes along: Approved, or Archived.
"""

from __future__ import annotations

import json
from typing import Any, Literal

Approval = Literal["Approved", "Rejected"]
CARD_STATUS = {"Approved": "Approved", "Rejected": "Archived"}
#: CustomerMetadataProperties take no longer value
VALUE_LIMIT = 256


def set_approval(api: Any, version: str, approval: Approval, why: str = "") -> bool:  # noqa: ANN401 - a boto3 client
    """Change a version's approval and its card's status; whether there was anything to change."""
    found = api.describe_model_package(ModelPackageName=version)
    if found["ModelApprovalStatus"] == approval:
        return False
    request: dict[str, Any] = {"ModelPackageArn": version, "ModelApprovalStatus": approval}
    if why:
        request["ApprovalDescription"] = why[:1024]
    if card := found.get("ModelCard"):
        # both members: what an update names is replaced as a whole
        request["ModelCard"] = {**card, "ModelCardStatus": CARD_STATUS[approval]}
    api.update_model_package(**request)
    return True


def model_card(content: dict[str, Any], approval: Approval) -> dict[str, str]:
    """The member of CreateModelPackage."""
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return {"ModelCardContent": text, "ModelCardStatus": CARD_STATUS[approval]}


def lineage(record: dict[str, Any] | None, step: str) -> dict[str, str]:
    """The digests that went into a step's key, from its record below `keys/`."""
    if not record:
        return {}
    inputs = {f"{step}_input_{name}": str(digest) for name, digest in record["inputs"].items()}
    found = {f"{step}_code": record["code"], f"{step}_requirements": record["environment"], **inputs}
    return {name: text for name, text in found.items() if len(text) <= VALUE_LIMIT}
