"""Every setting of Flywheel, read once from the environment into one frozen value.

Imported while Airflow parses DAG files: standard library only. `.env.example` documents each variable.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
PREFIX = "FLYWHEEL_"
#: port numbers are smaller
PORTS = 65536


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What may differ between two installations; field `bucket` is set by `FLYWHEEL_BUCKET`, and so on."""

    #: directory of everything that is made at run time: databases, objects, logs
    home: Path = PROJECT / ".flywheel"
    #: port of Airflow's UI and API on 127.0.0.1
    airflow_port: int = 8080
    #: port of the local SageMaker on 127.0.0.1
    sagemaker_port: int = 4566
    #: SQLAlchemy URL of a PostgreSQL for Airflow; empty: the embedded one
    database_url: str = ""
    #: Airflow connection that decides where jobs run
    aws_conn_id: str = "aws_default"
    #: S3 bucket of all data, models and records
    bucket: str = "flywheel"
    #: role the jobs assume; the local service accepts any
    role_arn: str = "arn:aws:iam::000000000000:role/flywheel"
    #: URI of the job image (include/image)
    image_uri: str = "flywheel:local"
    #: numeric threads of one job; part of every step's key, since results may depend on it
    threads: int = 2
    #: how often a waiting task asks for its job's state, in seconds
    poll_interval_s: float = 5.0
    #: who is told of failures and drift: a webhook's URL, or the ARN of an SNS topic; empty: nobody
    alert_to: str = ""

    def __post_init__(self) -> None:
        """Refuse what no service could be started with."""
        for name in ("airflow_port", "sagemaker_port"):
            if not 0 < getattr(self, name) < PORTS:
                raise ValueError(
                    f"{PREFIX}{name.upper()}={getattr(self, name)} is no port: choose one from 1024 to 65535."
                )
        if self.airflow_port == self.sagemaker_port:
            raise ValueError(
                f"{PREFIX}AIRFLOW_PORT and {PREFIX}SAGEMAKER_PORT are both {self.airflow_port}: "
                "two services cannot share a port. Change one."
            )
        for name in ("threads", "poll_interval_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{PREFIX}{name.upper()}={getattr(self, name)} must be more than 0.")

        if self.alert_to and not self.alert_to.startswith(("https://", "http://", "arn:")):
            raise ValueError(
                f"{PREFIX}ALERT_TO={self.alert_to!r} is neither a URL nor the ARN of an SNS topic: "
                "begin it with https://, http:// or arn:."
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read `FLYWHEEL_*` from `environment`; a value that does not parse is a ValueError naming it."""
        given: dict[str, Any] = {}
        for field in fields(cls):
            name = PREFIX + field.name.upper()
            if name in environment:
                given[field.name] = _parse(name, environment[name], type(field.default))
        return replace(cls(), **given)


def _parse(name: str, text: str, kind: type[Any]) -> object:
    try:
        return Path(text).resolve() if issubclass(kind, Path) else kind(text)
    except ValueError as error:
        raise ValueError(f"{name}={text!r} is not a valid {kind.__name__}: see .env.example.") from error


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings.from_environment(os.environ)
