"""The places below FLYWHEEL_HOME, and the secrets of one installation that are kept there."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from include.core.settings import Settings

#: bytes; Airflow signs its tokens with SHA-512 and wants a key of at least its block
JWT_SECRET_BYTES = 64
ADMIN = "admin"


@dataclass(frozen=True)
class Secrets:
    """The keys and the password of one installation."""

    #: signs the tokens of tasks and users
    jwt: str
    #: signs the requests between Airflow's services
    api: str
    #: encrypts connections in Airflow's database
    fernet: str
    #: password of the user `admin`
    password: str


class Home:
    """The directory tree of the installation that settings name."""

    def __init__(self, settings: Settings) -> None:
        self.root = root = settings.home
        #: AIRFLOW_HOME
        self.airflow = root / "airflow"
        #: data directory of the embedded PostgreSQL
        self.postgres = root / "postgres"
        #: root of the local SageMaker: its database and its objects
        self.sagemaker = root / "sagemaker"
        #: one log file per service
        self.logs = root / "logs"
        #: process ids, and what else says what is running
        self.run = root / "run"
        #: Airflow's file of users and passwords
        self.passwords = self.airflow / "passwords.json"
        self._secrets = self.airflow / "secrets.json"

    def make(self) -> None:
        """Create the directories that are not made by the services themselves, for nobody else to read."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for path in (self.airflow, self.sagemaker, self.logs, self.run):
            path.mkdir(exist_ok=True)
            path.chmod(0o700)

    def is_installed(self) -> bool:
        """Return whether services were ever started here."""
        return self._secrets.exists()

    def secrets(self) -> Secrets:
        """Return the secrets of the installation, made the first time and the same ever after."""
        if not self.is_installed():
            made = Secrets(
                jwt=secrets.token_urlsafe(JWT_SECRET_BYTES),
                api=secrets.token_urlsafe(32),
                fernet=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                password=secrets.token_urlsafe(12),
            )
            _write_private(self._secrets, asdict(made))
        kept = Secrets(**json.loads(self._secrets.read_text()))
        _write_private(self.passwords, {ADMIN: kept.password})
        return kept


def _write_private(path: Path, value: dict[str, str]) -> None:
    """Write JSON that nobody else may read, whole or not at all."""
    draft = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(value, file)
    draft.replace(path)
