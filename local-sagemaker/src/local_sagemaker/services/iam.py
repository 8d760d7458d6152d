"""IAM: roles. The local service takes any role, so every role is there and may do everything."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


@operation("iam", "GetRole")
def get_role(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Describe a role; every valid name is a role that SageMaker may assume."""
    name = parameters["RoleName"]
    return {
        "Role": {
            "Path": "/",
            "RoleName": name,
            "RoleId": "AROA" + hashlib.sha256(name.encode()).hexdigest()[:17].upper(),
            "Arn": f"arn:aws:iam::{context.account}:role/{name}",
            "CreateDate": datetime(2020, 1, 1, tzinfo=UTC),
            "AssumeRolePolicyDocument": quote(json.dumps(TRUST)),
        }
    }


@operation("iam", "SimulatePrincipalPolicy")
def simulate_principal_policy(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Tell what a role may do: every action, since the service knows no policies."""
    del context  # there is one answer for all
    return {
        "EvaluationResults": [
            {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed"}
            for action in parameters["ActionNames"]
            for resource in parameters.get("ResourceArns", ["*"])
        ],
        "IsTruncated": False,
    }
