"""STS: who is asking. Any credentials are the account's root here."""

from __future__ import annotations

from typing import Any

from local_sagemaker.services.context import Context
from local_sagemaker.services.registry import operation


@operation("sts", "GetCallerIdentity")
def get_caller_identity(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Tell the account that everything here belongs to."""
    del parameters  # the operation has none
    return {
        "UserId": context.account,
        "Account": context.account,
        "Arn": f"arn:aws:iam::{context.account}:root",
    }


@operation("sts", "GetAccessKeyInfo")
def get_access_key_info(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Tell which account an access key belongs to: there is one."""
    del parameters  # AccessKeyId has been checked against its pattern
    return {"Account": context.account}
