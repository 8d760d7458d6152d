"""What a cycle's jobs and endpoint run on, and how a new version takes over the endpoint.

Imported while Airflow parses DAG files: standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from include.core.checks import Amount, Count, Limits, Positive, Share

#: SageMaker stops every job after 28 days
LONGEST_JOB_S = 28 * 86_400
INSTANCE = re.compile(r"ml\.[a-z][a-z0-9-]*\.[a-z0-9-]+")
AN_INSTANCE = "a type of instance such as 'ml.m5.xlarge'"


@dataclass(frozen=True)
class Compute:
    """What SageMaker is asked for; the local service takes any instance type."""

    instance_type: Annotated[str, Limits(pattern=INSTANCE, form=AN_INSTANCE)] = "ml.m5.xlarge"
    instance_count: Positive = 1
    volume_gb: Annotated[int, Limits(least=1, most=16_384)] = 30
    #: after this the job is stopped and its task fails
    max_runtime_s: Annotated[int, Limits(least=1, most=LONGEST_JOB_S)] = 3600


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """How a new version takes over an endpoint that serves already: by a canary, whose metrics decide.

    An alarm fires when what was measured is above its limit; a limit of None is no alarm.
    """

    #: share of the invocations that the new version gets at first; 0 replaces the old one without a trial
    canary_share: Annotated[float, Limits(least=0, below=1)] = 0.1
    #: how long the trial lasts. AWS has metrics by the minute and a minute late: 300 is the least there
    bake_s: Amount = 600.0
    #: before the end of the bake, an alarm counts from so many of the canary's invocations on
    minimum_invocations: Count = 20
    #: what happens when there were fewer in the whole bake, and no alarm
    too_few: Literal["go on", "roll back"] = "go on"
    #: share of the canary's invocations that end with 5XX
    error_rate_limit: Share | None = 0.02
    #: by how much its share of 4XX may be above the champion's, which has the same clients
    client_error_gain_limit: Share | None = 0.05
    #: the model's latency
    latency_p99_limit_ms: Annotated[float | None, Limits(above=0)] = 1000.0
    latency_mean_limit_ms: Annotated[float | None, Limits(above=0)] = None
