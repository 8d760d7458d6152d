"""What it means when the disk below the service's root cannot be written, in words for whoever can help."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

#: what to do, by the error's number
ADVICE = {
    errno.ENOSPC: "Make room on that disk; then ask again.",
    errno.EDQUOT: "Make room within the quota, or raise it; then ask again.",
    errno.EROFS: "Mount it writable, or give another --root.",
    errno.EACCES: "Give the service's user the right to write there, or another --root.",
    errno.EPERM: "Give the service's user the right to write there, or another --root.",
    errno.EIO: "The disk or its connection is broken: look into the system's log.",
}
#: the database's own words for these
DATABASE = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}

#: of these the disk is cured from outside, and what failed can be done again
CURABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def number_of(error: BaseException) -> int | None:
    """Return the number of the system's error if the disk is to blame for `error`, else None."""
    if isinstance(error, sqlite3.Error):
        # the lowest byte is the kind of error, the rest tells more of it
        return DATABASE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return error.errno if isinstance(error, OSError) and error.errno in ADVICE else None


def is_curable(error: BaseException) -> bool:
    """Whether what failed may succeed later: the disk, or its database, has no room or takes no writes.

    A file that cannot be read is none of these: no time cures it.
    """
    number = number_of(error)
    return number in CURABLE or (number is not None and isinstance(error, sqlite3.Error))


def explained(error: BaseException, root: Path) -> str | None:
    """Return what is wrong with the disk below `root`, and what to do; None if `error` is of another kind."""
    number = number_of(error)
    if number is None:
        return None
    return f"The disk below {root} cannot be written ({error}). Nothing was changed. {ADVICE[number]}"
