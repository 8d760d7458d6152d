"""The card of a model's version, in the form that the registry takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from include.core.documents.codec import Document
from include.core.documents.ledger import Entry


@dataclass(frozen=True, kw_only=True)
class CardInformation:
    """What a card says beside the schema's own fields."""

    caveats_and_recommendations: str
    #: where the version comes from, and who decided about it when
    custom_details: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ModelCard(Document):
    """What evaluate says of a model to people, in SageMaker's schema of model cards: `model_card.json`."""

    model_overview: Mapping[str, Any]
    intended_uses: Mapping[str, Any]
    training_details: Mapping[str, Any]
    evaluation_details: tuple[Mapping[str, Any], ...]
    business_details: Mapping[str, Any]
    additional_information: CardInformation

    def decided(self, decision: Entry) -> ModelCard:
        """Return the card with the model's place, and with who decided about it when."""
        by = f"{decision.by['dag_id']}, {decision.by['run_id']}"
        made = {"decided at": decision.at.isoformat(), "decided by": by}
        information = self.additional_information
        return replace(
            self,
            model_overview={**self.model_overview, "model_artifact": [decision.model_uri]},
            additional_information=replace(
                information, custom_details={**information.custom_details, **made}
            ),
        )
