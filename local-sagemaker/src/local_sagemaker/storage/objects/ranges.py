"""The Range header."""

from __future__ import annotations

import re

from local_sagemaker.storage.objects.errors import InvalidRange

#: Python makes no number of more than 4,300 digits
RANGE = re.compile(r"bytes=(\d{0,4000})-(\d{0,4000})")


def part(header: str | None, size: int) -> tuple[int, int] | None:
    """Offset and length of the part that `header` asks for; None: the whole.

    A header that is not understood asks for the whole, as S3 has it. InvalidRange when nothing is left.
    """
    match = RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        length = min(int(last), size)
        start, end = size - length, size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size or start == end:
        raise InvalidRange(
            "The requested range is not satisfiable", RangeRequested=header, ActualObjectSize=size
        )
    return start, end - start
