"""boto3 sessions that share what botocore has read: its models of AWS's services.

Making a client costs most of its time by reading and parsing a service's model, megabytes of JSON. botocore
keeps what it has parsed in a loader, but gives every session a loader of its own. Here all sessions of a
process have the same one, and a scheduler that has warmed it up before it forks hands it to all tasks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

#: what the operators and the triggers use
SERVICES = ("sagemaker", "s3", "logs", "sagemaker-runtime", "cloudwatch")


@lru_cache(maxsize=1)
def shared_loader() -> Any:  # noqa: ANN401 - botocore has no types
    """The loader of this process, and of the processes forked from it."""
    # Parsing a DAG file imports this module and must not pay for botocore.
    from botocore.session import Session  # noqa: PLC0415

    return Session().get_component("data_loader")


def share(session: Any) -> Any:  # noqa: ANN401 - boto3 makes its types at run time
    """Let a boto3 session use the process's loader; the same session."""
    # boto3 keeps botocore's session to itself, as Airflow's own provider remarks.
    session._session.register_component("data_loader", shared_loader())  # noqa: SLF001
    return session


def warm() -> None:
    """Read the models of all services, by making a client of each; nothing is sent anywhere."""
    import boto3  # noqa: PLC0415 - not while a DAG file is parsed

    session = share(boto3.session.Session("x", "x", region_name="us-east-1"))
    for service in SERVICES:
        session.client(service).close()
