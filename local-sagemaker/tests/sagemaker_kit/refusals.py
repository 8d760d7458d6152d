"""The errors of AWS that a test expects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError


@contextmanager
def refused(code: str, *values: object) -> Iterator[dict[str, Any]]:
    """Expect an error with a code, whose message holds each of the values; its answer is filled in."""
    answer: dict[str, Any] = {}
    with pytest.raises(ClientError) as caught:
        yield answer
    answer.update(caught.value.response)
    error = answer["Error"]
    assert error["Code"] == code, error
    assert [value for value in values if str(value) not in error["Message"]] == [], error
