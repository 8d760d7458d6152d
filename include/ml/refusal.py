"""The one exception by which a step refuses its input."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - it reads as what happened: the step refused
    """The input cannot be worked with; the message says what was found, why that is wrong and what to do.

    A refusal is a verdict, not an accident: the same input would be refused again, so nobody retries it.
    """
