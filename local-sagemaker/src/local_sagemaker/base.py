"""The base that every part of the service is given: what it was started with, and what it stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_sagemaker.storage.objects.objects import ObjectStore
from local_sagemaker.storage.store import Store

ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True)
class KeyPair:
    """An access key and its secret."""

    id: str
    secret: str = field(repr=False)


#: signs the requests of jobs where no signature is checked
ANY_PAIR = KeyPair("local", "local")


@dataclass(frozen=True)
class Credentials:
    """Every key pair whose signature counts."""

    #: the user's secrets by access key id
    secrets: Mapping[str, str] = field(repr=False)
    #: signs the requests of the service's own processes
    inside: KeyPair

    def secret(self, key_id: str) -> str | None:
        """Return the secret of an access key, or None if there is no such key."""
        return self.inside.secret if key_id == self.inside.id else self.secrets.get(key_id)


@dataclass(frozen=True, kw_only=True)
class Service:
    """Settings and stores of one service, made once by service.py and passed down whole."""

    #: directory of everything the service keeps
    root: Path
    #: base of this service's own URL, such as `http://127.0.0.1:4566`
    url: str
    #: account number in every ARN
    account: str = ACCOUNT
    #: region in every ARN
    region: str = REGION
    #: the `image.toml` files that map image URIs to environments
    images: tuple[Path, ...] = ()
    #: folder of samples for new notebook instances; None: there are none
    samples: Path | None = None
    #: how many jobs run at the same time; the others wait
    job_limit: int = 2
    #: how long a serverless container may be idle before it is stopped, in seconds
    serverless_idle_s: float = 300.0
    #: whose signatures count; None: requests need none
    credentials: Credentials | None = field(default=None, repr=False)
    #: the objects of S3
    objects: ObjectStore
    #: all resources of the other services
    store: Store

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this account and region: `arn("sagemaker", "model/m")`."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def container_variables(self) -> dict[str, str]:
        """Return what every container finds in its environment: the region, and how to reach this service."""
        pair = self.credentials.inside if self.credentials is not None else ANY_PAIR
        return {
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": pair.id,
            "AWS_SECRET_ACCESS_KEY": pair.secret,
        }
