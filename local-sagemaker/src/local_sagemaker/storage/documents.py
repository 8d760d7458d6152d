"""Documents as text: JSON in which a datetime is `{"$time": seconds since 1970}`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

Document = dict[str, Any]


class Picked(NamedTuple):
    """A part of a resource."""

    name: str
    arn: str
    #: seconds since 1970, UTC
    modified: float
    #: members of its document; None where it has none
    members: Document


def moment(seconds: float) -> datetime:
    """Return a time of the store as a document has it."""
    return datetime.fromtimestamp(seconds, UTC)


def dumps(document: Document) -> str:
    """Return a document as text; raise TypeError if it holds what is neither JSON nor a datetime."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=_tagged)


def _tagged(value: object) -> dict[str, float]:
    if isinstance(value, datetime):
        return {"$time": value.timestamp()}
    raise TypeError(f"Cannot keep a {type(value).__name__}: a document holds JSON and datetimes.")


def _untagged(members: dict[str, Any]) -> Any:  # noqa: ANN401 (what JSON decodes to)
    # maps of a client's may have this key, too; the values of those are texts
    is_time = members.keys() == {"$time"} and isinstance(members["$time"], float)
    return datetime.fromtimestamp(members["$time"], UTC) if is_time else members


#: reads what `dumps` wrote, or a part of it; made once, since json.loads would make one for every text
parsed = json.JSONDecoder(object_hook=_untagged).decode
