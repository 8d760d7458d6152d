"""The description of the flights cycle: monthly intervals of 2013."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.core.cycle import Cycle, Promotion, PythonSource, Rollout, Split
from include.core.monitoring import Facet, Monitoring

#: airlines that fly small aircraft for the big ones
REGIONAL = ("9E", "EV", "MQ", "OO", "YV")

CYCLE = Cycle(
    name="flights",
    description="Will a flight from New York arrive more than 15 minutes late?",
    task="binary",
    schedule="0 0 1 * *",
    start=datetime(2013, 1, 1, tzinfo=UTC),
    end=datetime(2014, 1, 1, tzinfo=UTC),
    source=PythonSource(),
    split=Split(holdout=timedelta(days=7), validation=timedelta(days=4)),
    metric="roc_auc",
    # Weather and the delays it starts last through a day: a week of flights is rather seven draws than
    # six thousand.
    promotion=Promotion(block=timedelta(days=1)),
    quarantine_limit_share=0.02,
    # The local service has metrics by the second; see Rollout.bake_s for AWS.
    rollout=Rollout(bake_s=3),
    # Regional flights are late a little more often than others, and the model may take the airline for the
    # reason: it is watched that it does not call them late out of all proportion.
    monitoring=Monitoring(facets=(Facet(column="carrier", values=REGIONAL),)),
)
