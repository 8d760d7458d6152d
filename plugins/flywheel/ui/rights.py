"""What a user may see and do of a cycle: Airflow's own word about its DAGs, asked for at each request."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails

from include.core.cycle import Cycle
from include.core.layout import scoring_dag, training_dag


def dags(cycle: Cycle) -> dict[str, str]:
    """Return the cycle's DAGs by what they are for."""
    return {
        "train": training_dag(cycle.name),
        "score": scoring_dag(cycle.name),
        "roll_back": f"{cycle.name}_roll_back",
    }


def may_see(user: Any, cycle: Cycle) -> bool:  # noqa: ANN401 - the auth manager's own type
    """Whether the page shows a cycle: to whoever may read the DAGs that made it, and their runs."""
    named = dags(cycle)
    entities = (None, DagAccessEntity.RUN, DagAccessEntity.XCOM)
    return all(_may(user, "GET", named[of], entity) for of in ("train", "score") for entity in entities)


def actions(user: Any, cycle: Cycle) -> dict[str, bool]:  # noqa: ANN401 - the auth manager's own type
    """Which of the page's buttons Airflow would obey; it is Airflow that judges again when one is pressed."""
    named = dags(cycle)
    allowed = {action: _may(user, "POST", dag, DagAccessEntity.RUN) for action, dag in named.items()}
    return allowed | {"answer": _may(user, "PUT", named["train"], DagAccessEntity.HITL_DETAIL)}


def _may(user: Any, method: Any, dag_id: str, entity: DagAccessEntity | None) -> bool:  # noqa: ANN401 - Airflow's types
    return get_auth_manager().is_authorized_dag(
        method=method, access_entity=entity, details=DagDetails(id=dag_id), user=user
    )
