"""What monitoring keeps: the request for retraining."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from include.core.documents.codec import Document
from include.core.layout import Interval


@dataclass(frozen=True, kw_only=True)
class RetrainingRequest(Document):
    """What monitoring asks `train_and_deploy` for: `<cycle>/requests/<8 digits>.json`."""

    #: when it was written
    at: datetime
    #: dag_id and run_id of the run that asked
    by: Mapping[str, str]
    #: the window whose decision it was
    window: Interval
    #: the decision record
    decision_uri: str
    #: full sentences, one for each alarm
    reasons: tuple[str, ...]
    #: the training interval that is to be trained for
    train_interval: Interval
    #: end of the training interval
    data_end: datetime
    #: given by the log of requests, from 1
    number: int = 0
