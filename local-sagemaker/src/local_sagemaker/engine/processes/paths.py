"""Which paths of a request, and which keys of objects, files of a container can have."""

from __future__ import annotations

#: what file systems take: of one name, and of a path that still stands below a job's workspace
NAME_BYTES = 255
PATH_BYTES = 1024


def fits(path: str) -> bool:
    """Whether a file could have this path, and stay where the path begins."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    parts = encoded.split(b"/")
    is_short = len(encoded) <= PATH_BYTES and all(len(part) <= NAME_BYTES for part in parts)
    return is_short and b"\0" not in encoded and b".." not in parts
