"""How a process comes to see its workspace at /opt/ml, and what this machine allows of it.

OVERLAY: in a private mount namespace, the folder `linked` of the workspace lies under `ml` as the lower
layer of an overlay. `linked` holds hard links to stored objects; a process that writes to one gets a copy
of its own, so links are as safe as copies. BIND: `ml` alone is bound to /opt/ml. NONE: namespaces are
refused (or this is no Linux); a process finds its folder by the variable SAGEMAKER_BASE_DIR, the toolkits'
convention.

In a namespace, the service's database looks empty: a job that reads it by mistake, or out of curiosity, finds
nothing. It is no wall against a job that means harm, which may undo mounts of its own namespace.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from enum import Enum
from functools import cache
from pathlib import Path

#: $0 is the workspace, $1 the kind of view, the rest the command. Where /opt/ml is not there and cannot be
#: made (no root), /opt is rebuilt from its own entries in a temporary file system that only this namespace
#: sees.
_MOUNT = """
set -e
workspace=$0; layers=$1; shift
mkdir -p /opt/ml 2>/dev/null || {
  mkdir -p "$workspace/opt"
  mount -t tmpfs none "$workspace/opt"
  for entry in /opt/*; do
    [ -e "$entry" ] || continue
    if [ -d "$entry" ]; then mkdir "$workspace$entry"; else : > "$workspace$entry"; fi
    mount --rbind "$entry" "$workspace$entry"
  done
  mkdir "$workspace/opt/ml"
  mount --rbind "$workspace/opt" /opt
}
if [ "$layers" = overlay ]; then
  layers="lowerdir=$workspace/linked,upperdir=$workspace/ml,workdir=$workspace/work${USERXATTR}"
  mount -t overlay overlay -o "$layers" /opt/ml
else
  mount --bind "$workspace/ml" /opt/ml
fi
root=$workspace
while [ -n "$root" ] && [ ! -f "$root/sagemaker.sqlite" ]; do root=${root%/*}; done
for file in "$root"/sagemaker.sqlite*; do
  # a log of the database may go away meanwhile
  if [ -f "$file" ]; then mount --bind /dev/null "$file" || [ ! -f "$file" ]; fi
done
exec "$@"
"""
TIMEOUT_S = 10


class Isolation(Enum):
    """What a process's view of /opt/ml is made of."""

    OVERLAY = "overlay"
    BIND = "bind"
    NONE = "none"


def available(folder: Path) -> Isolation:
    """Return the best isolation that this machine allows for workspaces on the file system of `folder`."""
    return _probe(folder.stat().st_dev, folder)


def wrap(
    isolation: Isolation, workspace: Path, command: list[str], *, is_root: bool | None = None
) -> list[str]:
    """Return the command that runs `command` with the workspace at /opt/ml."""
    if isolation is Isolation.NONE:
        return command
    is_root = os.geteuid() == 0 if is_root is None else is_root
    unshare = [shutil.which("unshare") or "unshare", *([] if is_root else ["--map-root-user"]), "--mount"]
    script = _MOUNT.replace("${USERXATTR}", "" if is_root else ",userxattr")
    return [*unshare, "/bin/sh", "-c", script, str(workspace), isolation.value, *command]


@cache
def _probe(_device: int, folder: Path) -> Isolation:
    if not sys.platform.startswith("linux"):
        return Isolation.NONE
    for isolation in (Isolation.OVERLAY, Isolation.BIND):
        with tempfile.TemporaryDirectory(dir=folder, prefix="probe-") as name:
            workspace = Path(name)
            for layer in ("ml", "linked", "work"):
                (workspace / layer).mkdir()
            command = ["/bin/sh", "-c", ": > /opt/ml/seen"]
            try:
                done = subprocess.run(  # noqa: S603 (the words are ours)
                    wrap(isolation, workspace, command), capture_output=True, timeout=TIMEOUT_S, check=False
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            # a separate look: a mount that went elsewhere must not pass for a view of the workspace
            if done.returncode == 0 and (workspace / "ml/seen").exists():
                return isolation
    return Isolation.NONE
