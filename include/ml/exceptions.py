"""The exceptions by which pure functions and steps reject their input; `InvalidRow` is an `InvalidInput`."""

from __future__ import annotations


class InvalidInput(Exception):  # noqa: N818 - it names the fault, as the job's log shows it
    """The input cannot be used. The message says what was found, why it is wrong and what to do.

    The same input would fail again, so nobody retries it.
    """


class InvalidRow(InvalidInput):
    """A row that the model cannot take; the message names the row and the column."""
