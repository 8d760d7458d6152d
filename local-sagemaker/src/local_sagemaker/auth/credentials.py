"""The key pairs whose requests are answered, and the one that jobs, endpoints and notebooks are given."""

from __future__ import annotations

import configparser
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from local_sagemaker.base import KeyPair

ID_VARIABLE = "LOCAL_SAGEMAKER_ACCESS_KEY_ID"
SECRET_VARIABLE = "LOCAL_SAGEMAKER_SECRET_ACCESS_KEY"  # noqa: S105 (the name of a variable)
KEY_ID = re.compile(r"[A-Za-z0-9_-]{3,128}")
#: a shorter secret could be found by trying
SECRET_MINIMUM = 16
#: below the service's root
INSIDE = "inside.key"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class CredentialsError(Exception):
    """Key pairs that cannot be used; the text says why, and what to do."""


def read(path: Path) -> dict[str, str]:
    """Return the pairs of a file such as ~/.aws/credentials, whatever its profiles are called."""
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & OTHERS:
                raise CredentialsError(
                    f"{path} can be read by other users of this machine, so its keys are no secret: "
                    f"chmod 600 {path}"
                )
            parser = configparser.RawConfigParser()
            parser.read_file(file)
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path} cannot be read: {error}.") from error
    except configparser.Error as error:
        raise CredentialsError(f"{path} is no file like ~/.aws/credentials: {error.message}.") from error
    pairs = {}
    for section in parser.sections():
        key_id, secret = (
            parser.get(section, f"aws_{name}", fallback="") for name in ("access_key_id", "secret_access_key")
        )
        pairs[key_id] = _checked(key_id, secret, f"[{section}] of {path}")
    if not pairs:
        raise CredentialsError(f"{path} has no profile: give it one, as in ~/.aws/credentials.")
    return pairs


def from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the pair that the environment names; none if it names none."""
    key_id, secret = environment.get(ID_VARIABLE, ""), environment.get(SECRET_VARIABLE, "")
    if not key_id and not secret:
        return {}
    return {key_id: _checked(key_id, secret, f"the environment ({ID_VARIABLE}, {SECRET_VARIABLE})")}


def _checked(key_id: str, secret: str, origin: str) -> str:
    if not KEY_ID.fullmatch(key_id):
        raise CredentialsError(
            f"The access key id {key_id!r} in {origin} is not valid: use 3 to 128 of A-Z, a-z, 0-9, _ and -."
        )
    if len(secret) < SECRET_MINIMUM:
        raise CredentialsError(
            f"The secret of {key_id} in {origin} has {len(secret)} characters: use at least "
            f"{SECRET_MINIMUM}, such as those of `openssl rand -hex 20`."
        )
    return secret


def inside(root: Path) -> KeyPair:
    """Return the service's own pair, made once: processes that outlive the service go on with it."""
    path = root / INSIDE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return KeyPair(kept["id"], kept["secret"])
    except FileNotFoundError:
        made = KeyPair(f"INSIDE{secrets.token_hex(8).upper()}", secrets.token_hex(20))
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"id": made.id, "secret": made.secret}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return made
