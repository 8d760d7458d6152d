"""The places below FLYWHEEL_HOME, and the secrets of one installation that are kept there."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from include.core.settings import Settings

#: bytes; Airflow signs its tokens with SHA-512 and wants a key of at least its block
JWT_SECRET_BYTES = 64
ADMIN = "admin"


@dataclass(frozen=True)
class Home:
    """The directory tree of one installation."""

    #: FLYWHEEL_HOME itself
    root: Path

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.root / "airflow"

    @property
    def postgres(self) -> Path:
        """Data directory of the embedded PostgreSQL."""
        return self.root / "postgres"

    @property
    def sagemaker(self) -> Path:
        """Root of the local SageMaker: its database and its objects."""
        return self.root / "sagemaker"

    @property
    def logs(self) -> Path:
        """One log file per service."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Process ids, and what else says what is running."""
        return self.root / "run"

    @property
    def passwords(self) -> Path:
        """Airflow's file of users and passwords."""
        return self.airflow / "passwords.json"

    def make(self) -> None:
        """Create the directories that are not made by the services themselves, for nobody else to read."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for path in (self.airflow, self.sagemaker, self.logs, self.run):
            path.mkdir(exist_ok=True)
            path.chmod(0o700)


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


def home_of(settings: Settings) -> Home:
    """The installation these settings name."""
    return Home(settings.home)


def is_installed(home: Home) -> bool:
    """Whether services were ever started here."""
    return _secrets_file(home).exists()


def installation_secrets(home: Home) -> Secrets:
    """The secrets of this installation, made the first time and the same ever after."""
    path = _secrets_file(home)
    if not path.exists():
        _write_private(
            path,
            {
                "jwt": secrets.token_urlsafe(JWT_SECRET_BYTES),
                "api": secrets.token_urlsafe(32),
                "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "password": secrets.token_urlsafe(12),
            },
        )
    found = Secrets(**json.loads(path.read_text()))
    _write_private(home.passwords, {ADMIN: found.password})
    return found


def _secrets_file(home: Home) -> Path:
    return home.airflow / "secrets.json"


def _write_private(path: Path, value: dict[str, str]) -> None:
    """Write JSON that nobody else may read, whole or not at all."""
    draft = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(value, file)
    draft.replace(path)
