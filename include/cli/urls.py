"""The addresses of the stack's services."""

from __future__ import annotations

from include.core.settings import Settings


def airflow_url(settings: Settings) -> str:
    """Airflow's UI and API."""
    return f"http://127.0.0.1:{settings.airflow_port}"


def sagemaker_url(settings: Settings) -> str:
    """The local SageMaker."""
    return f"http://127.0.0.1:{settings.sagemaker_port}"
