"""A cycle's endpoint as a rollout sees and changes it, through SageMaker."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from include.core.documents.codec import digest
from include.core.layout import Interval, job_name
from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.kinds import ENDPOINT
from include.core.sagemaker.rollout import Canary, Seen

log = logging.getLogger(__name__)

#: tags of a canary's configuration: the configurations before and after it
CHAMPION_TAG, FINAL_TAG = "flywheel:champion", "flywheel:final"
VARIANT_PREFIX = "canary-"
#: members of a configuration that a canary takes over from the champion's
KEPT = ("KmsKeyId", "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation")


class Endpoint:
    """One endpoint.

    :param hook: what the connection leads to
    :param name: the endpoint's name
    """

    def __init__(self, hook: SageMaker, name: str) -> None:
        self.hook, self.name = hook, name

    # Looking

    def look(self) -> Seen:
        """Return what SageMaker says of it now."""
        description = self.hook.find_description(ENDPOINT, self.name)
        if description is None:
            return Seen()
        return Seen(
            status=description["EndpointStatus"],
            is_active=ENDPOINT.is_active(description),
            config=description["EndpointConfigName"],
            reason=description.get("FailureReason", ""),
            canary=self._canary(description),
        )

    def _canary(self, description: Mapping[str, Any]) -> Canary | None:
        """Return the trial that the endpoint serves, by its variant's name and its configuration's tags."""
        weights = {
            item["VariantName"]: item["CurrentWeight"] for item in description.get("ProductionVariants", [])
        }
        tried = [name for name in weights if name.startswith(VARIANT_PREFIX)]
        if not tried:
            return None
        arn = self._config(description["EndpointConfigName"])["EndpointConfigArn"]
        pages = self.hook.api.get_paginator("list_tags").paginate(ResourceArn=arn)
        tags = {tag["Key"]: tag["Value"] for answer in pages for tag in answer["Tags"]}
        if CHAMPION_TAG not in tags or FINAL_TAG not in tags:
            return None  # somebody else's variant with such a name
        return Canary(
            config=description["EndpointConfigName"],
            champion=tags[CHAMPION_TAG],
            final=tags[FINAL_TAG],
            variant=tried[0],
            champion_variants=tuple(name for name in weights if name not in tried),
            weight=weights[tried[0]],
            since=description["LastModifiedTime"].timestamp(),
        )

    def _config(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.hook.api.describe_endpoint_config(EndpointConfigName=name)
        return answer

    # Changing; each asks SageMaker for something and waits for nothing

    def create(self, config: str) -> None:
        """Make the endpoint."""
        self.hook.create_once("create_endpoint", {"EndpointName": self.name, "EndpointConfigName": config})

    def delete(self) -> None:
        """Remove it."""
        self.hook.api.delete_endpoint(EndpointName=self.name)

    def update(self, config: str) -> None:
        """Let it serve another configuration."""
        self.hook.api.update_endpoint(EndpointName=self.name, EndpointConfigName=config)

    def mute(self, canary: Canary) -> None:
        """Take all traffic from a canary; its containers stay as they are, so this is quick."""
        self.hook.api.update_endpoint_weights_and_capacities(
            EndpointName=self.name,
            DesiredWeightsAndCapacities=[{"VariantName": canary.variant, "DesiredWeight": 0.0}],
        )

    def put_canary(self, cycle: str, interval: Interval, champion: str, final: str, share: float) -> str:
        """Make the configuration that tries `final` beside `champion`; its name."""
        old, new = self._config(champion), self._config(final)
        variant = f"{VARIANT_PREFIX}{datetime.now(UTC):%Y%m%d%H%M%S%f}"
        weights = [served.get("InitialVariantWeight", 1.0) for served in old["ProductionVariants"]]
        variants = [
            {**served, "InitialVariantWeight": weight / sum(weights) * (1 - share)}
            for served, weight in zip(old["ProductionVariants"], weights, strict=True)
        ]
        tried = {**new["ProductionVariants"][0], "VariantName": variant, "InitialVariantWeight": share}
        name = job_name(cycle, "canary", interval, digest([champion, final, variant]))
        request = {
            "EndpointConfigName": name,
            "ProductionVariants": [*variants, tried],
            **{member: old[member] for member in KEPT if member in old},
            # Both answer the same requests, of which nothing may be captured that has become private since.
            **{member: new[member] for member in ("DataCaptureConfig",) if member in new},
            "Tags": [{"Key": CHAMPION_TAG, "Value": champion}, {"Key": FINAL_TAG, "Value": final}],
        }
        self.hook.create_once("create_endpoint_config", request)
        return name

    def abandon(self, final: str) -> None:
        """Give it back to the champion if the canary of `final` is on trial; what is under way goes on."""
        seen = self.look()
        if seen.canary is None or seen.canary.final != final:
            return
        if seen.is_active:
            log.warning(
                "Endpoint %s is %s and cannot be given back to %s now; the next deployment will do it",
                self.name,
                seen.status,
                seen.canary.champion,
            )
            return
        log.info("Giving the endpoint %s back to %s", self.name, seen.canary.champion)
        self.update(seen.canary.champion)
