"""What a trial captures."""
# ruff: noqa: ANN401 - the service's test class has no types

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flywheel.hooks.sagemaker import SageMakerHook
from include.core.cycle import Cycle
from include.core.layout import Interval
from include.core.monitoring import Monitoring
from include.core.sagemaker import requests
from include.core.sagemaker.endpoints import Endpoint
from include.core.settings import Settings

MONTH = Interval(datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC))


def test_a_column_that_became_private_is_not_captured_while_a_canary_is_tried(
    service: Any, installed: Settings, cycle: Cycle
) -> None:
    """The champion's configuration is older than the rule, and answers the same clients."""
    name = f"private-{installed.bucket}"
    private = replace(cycle, monitoring=Monitoring(private=("tailnum",)))
    service.sagemaker.create_model(**requests.model(name, f"s3://{installed.bucket}/m.tar.gz", installed))
    for config, of in ((f"{name}-old", cycle), (f"{name}-new", private)):
        service.sagemaker.create_endpoint_config(**requests.endpoint_config(config, of, name, installed))
    endpoint = Endpoint(SageMakerHook(installed.aws_conn_id), name)
    made = endpoint.put_canary("flights", MONTH, f"{name}-old", f"{name}-new", 0.1)
    found = service.sagemaker.describe_endpoint_config(EndpointConfigName=made)
    assert found["DataCaptureConfig"]["CaptureOptions"] == [{"CaptureMode": "Output"}]
    assert len(found["ProductionVariants"]) == 2
