"""The hook of Flywheel's operators and triggers: what one connection of Airflow leads to."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from include.core.sagemaker.client import SageMaker, share


class SageMakerHook(SageMaker):
    """What one AWS connection leads to: the connection alone decides where jobs run.

    Transport errors and throttling are retried by the clients, six times with growing pauses.

    :param aws_conn_id: Airflow's connection
    """

    def __init__(self, aws_conn_id: str) -> None:
        super().__init__(self._client_of)
        self.aws_conn_id = aws_conn_id

    @cached_property
    def _aws(self) -> Any:  # noqa: ANN401 - the provider has no types
        # Parsing a DAG file imports this module and must not pay seconds for boto3.
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook  # noqa: PLC0415

        config = {"retries": {"mode": "standard", "max_attempts": 6}}
        return AwsGenericHook(aws_conn_id=self.aws_conn_id, client_type="sagemaker", config=config)

    @cached_property
    def _session(self) -> Any:  # noqa: ANN401 - boto3 has no types
        return share(self._aws.get_session())

    def _client_of(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' types at run time
        return self._session.client(
            service,
            endpoint_url=self.endpoint_url(service),
            config=self._aws.config,
            verify=self._aws.verify,
        )

    def forget_clients(self) -> None:
        """Begin with a new session, too."""
        super().forget_clients()
        self.__dict__.pop("_session", None)

    def endpoint_url(self, service: str) -> str | None:
        """Return the URL the connection gives for a service; None on AWS itself."""
        url = self._aws.conn_config.get_service_endpoint_url(service)
        return str(url) if url else None
