"""A SageMaker notebook instance as the DAG `explore` sees and changes it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from include.core.sagemaker.client import SageMaker
from include.core.sagemaker.runner import NOBODY
from include.core.settings import Settings

log = logging.getLogger(__name__)

#: tag of an instance: the run that started it last
STARTER_TAG = "flywheel:started-by"
INSTANCE_TYPE = "ml.t3.medium"
#: statuses that pass by themselves
PASSING = ("Pending", "Stopping", "Updating", "Deleting", "PendingMaintenance", "InMaintenance")
#: SageMaker's bounds of a session, in seconds
SESSION_S = (1_800, 43_200)


class Notebook:
    """One notebook instance.

    :param hook: what the connection leads to
    :param name: the instance's name
    """

    def __init__(self, hook: SageMaker, name: str) -> None:
        self.hook, self.name = hook, name
        self._named = {"NotebookInstanceName": name}

    def look(self) -> Mapping[str, Any] | None:
        """Return what SageMaker says of it now; None if there is no such instance."""
        try:
            description: dict[str, Any] = self.hook.api.describe_notebook_instance(**self._named)
        except self.hook.api.exceptions.ClientError as error:
            if "RecordNotFound" in str(error):
                return None
            raise
        return description

    def status(self) -> str | None:
        """NotebookInstanceStatus; None if there is no such instance."""
        description = self.look()
        return None if description is None else str(description["NotebookInstanceStatus"])

    def create(self, run: str, settings: Settings) -> None:
        """Create it, which starts it, on behalf of a run."""
        log.info("Creating the notebook instance %s", self.name)
        self.hook.api.create_notebook_instance(
            **self._named,
            InstanceType=INSTANCE_TYPE,
            RoleArn=settings.role_arn,
            Tags=[{"Key": STARTER_TAG, "Value": run}],
        )

    def start(self, run: str) -> None:
        """Start it on behalf of a run."""
        log.info("Starting the notebook instance %s", self.name)
        # the tag first: an instance that runs and is nobody's would never be stopped
        self._sign(run)
        self.hook.api.start_notebook_instance(**self._named)

    def is_of(self, run: str) -> bool:
        """Whether a run was the last to start it."""
        description = self.look()
        return description is not None and self._starter(description) == run

    def stop(self, run: str | None = None) -> bool:
        """Tell it to stop, if it is in service and, where a run is named, was started by that; whether so."""
        description = self.look()
        if description is None or description["NotebookInstanceStatus"] != "InService":
            return False
        if run is not None and self._starter(description) != run:
            log.info("Not stopping %s: another run started it", self.name)
            return False
        log.info("Stopping the notebook instance %s; its files stay", self.name)
        self.hook.api.stop_notebook_instance(**self._named)
        self._sign(NOBODY)
        return True

    def url(self, session_s: float) -> str:
        """Return an address that logs a browser in, once and within five minutes, for so long a session."""
        low, high = SESSION_S
        answer = self.hook.api.create_presigned_notebook_instance_url(
            **self._named, SessionExpirationDurationInSeconds=int(min(max(session_s, low), high))
        )
        return str(answer["AuthorizedUrl"])

    def _sign(self, run: str) -> None:
        description = self.look()
        if description is not None:
            tags = [{"Key": STARTER_TAG, "Value": run}]
            self.hook.api.add_tags(ResourceArn=description["NotebookInstanceArn"], Tags=tags)

    def _starter(self, description: Mapping[str, Any]) -> str | None:
        tags = self.hook.api.list_tags(ResourceArn=description["NotebookInstanceArn"])["Tags"]
        return next((tag["Value"] for tag in tags if tag["Key"] == STARTER_TAG), None)
