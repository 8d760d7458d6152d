"""The entry of the ledger: a decision, promotion, rejection or rollback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from include.core.documents.codec import OMIT_NONE, Document
from include.core.documents.model import Verdict
from include.core.layout import Interval


@dataclass(frozen=True, kw_only=True)
class Entry(Document):
    """One record of the ledger, `<cycle>/ledger/<8 digits>.json`."""

    kind: Literal["decision", "promotion", "rejection", "rollback"]
    #: when it was written
    at: datetime
    #: dag_id and run_id of the run that wrote it, and the user who asked for it where one did; of a rollback
    #: also triggered_at, when Airflow made the run
    by: Mapping[str, str]
    #: the training interval
    interval: Interval
    #: key of the training that made the version
    key: str
    model_uri: str
    transform_uri: str
    evaluation_uri: str
    #: end of the data the version was trained on
    data_end: datetime
    #: what the evaluation said; null in a rollback
    verdict: Verdict | None
    #: full sentences
    reasons: tuple[str, ...]
    #: ARN of the model package; null in a decision, which has none yet
    version: str | None = None
    #: decision: whether a person is asked before it is carried out
    needs_approval: bool = False
    #: rollback: ARN of the version that was in production
    replaces: str | None = None
    #: rollback: end of the newest data decided about by then; dates it among the promotions
    effective: datetime | None = None
    #: digest of the transform's output; missing in what 0.1.0 wrote
    transform_digest: str | None = field(default=None, metadata=OMIT_NONE)
    #: digest of the evaluation's output; missing in what 0.1.0 wrote
    evaluation_digest: str | None = field(default=None, metadata=OMIT_NONE)
    #: given by the ledger, from 1
    number: int = 0

    @property
    def promotes(self) -> bool:
        """Return whether the evaluation called for a promotion."""
        return self.verdict is not None and self.verdict.promote

    @classmethod
    def lift(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an entry of version 0.1.0 with null for the empty verdict of its rollbacks."""
        return value if value.get("verdict") else {**value, "verdict": None}
