"""The parts of the load that are about what goes on for long: endpoints, and a notebook instance."""
# ruff: noqa: ANN401 (boto3 makes its clients at run time)

from __future__ import annotations

import random
from functools import partial
from typing import Any

import httpx
from botocore.exceptions import ClientError

from sagemaker_kit import notebooks as instances
from sagemaker_kit import serving
from sagemaker_kit.connections import answered
from sagemaker_kit.service import Service
from sagemaker_kit.serving import until

BUCKET, ENDPOINT, LATER, NOTEBOOK = "crash-answers", "steady", "later", "lab"
#: what an instance may be on its way to, and the states on that way
WAYS = {"InService": {"Pending", "InService"}, "Stopped": {"Stopping", "Stopped"}}


class Hosted:
    """An endpoint that is invoked and updated, and never lost."""

    def __init__(self, service: Service) -> None:
        serving.make_model(service, "one")
        serving.make_model(service, "two")
        serving.deploy(service, ENDPOINT, serving.variant("one"))
        service.sagemaker.create_endpoint_config(
            EndpointConfigName="other", ProductionVariants=[serving.variant("two")]
        )
        #: configurations the endpoint may come to serve
        self.possible = {ENDPOINT}
        self.answers = 0

    def invoke(self, runtime: Any) -> None:
        """Ask for an answer; a service that has just come up may say that it is not ready."""
        try:
            with answered():
                found = runtime.invoke_endpoint(EndpointName=ENDPOINT, Body=b"a,b\n", ContentType="text/csv")
                assert found["Body"].read() == b"3,a\n"
            self.answers += 1
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ServiceUnavailable", error  # noqa: PT017 (only some are wrong)

    def update(self, sagemaker: Any) -> None:
        """Have it serve the other configuration, if no update is under way."""
        wanted = ({ENDPOINT, "other"} - self.possible or {ENDPOINT}).pop()
        with answered():
            if sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointStatus"] != "InService":
                return
        self.possible.add(wanted)
        with answered():
            sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=wanted)
        self.possible.intersection_update({wanted})

    def check(self, service: Service) -> None:
        """It comes into service with what it was told last, and answers."""
        serving.in_service(service, ENDPOINT)
        found = service.sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
        assert found in self.possible
        self.possible.intersection_update({found})
        assert serving.ask(service, ENDPOINT, "a,b\n") == "3,a\n"


class Later:
    """An asynchronous endpoint: what it has accepted is answered in the end, by an object."""

    def __init__(self, service: Service) -> None:
        service.s3.create_bucket(Bucket=BUCKET)
        places = {"S3OutputPath": f"s3://{BUCKET}/good", "S3FailurePath": f"s3://{BUCKET}/bad"}
        serving.deploy(service, LATER, serving.variant("one"), AsyncInferenceConfig={"OutputConfig": places})
        self._asked = 0
        #: by place: what must come to be there
        self.accepted: dict[str, bytes] = {}

    def ask(self, runtime: Any, dice: random.Random) -> None:
        """Have it answer a row of its own, now and then."""
        if dice.random() < 0.7:
            return
        self._asked += 1
        row = f"{self._asked},x"
        with answered():
            found = runtime.invoke_endpoint_async(EndpointName=LATER, Body=f"{row}\n", ContentType="text/csv")
        self.accepted[found["OutputLocation"]] = f"{len(row)},{self._asked}\n".encode()

    def finish(self, s3: Any) -> None:
        """Every accepted request has its answer; of what was not acknowledged, some may have theirs."""
        for uri, expected in self.accepted.items():
            key = uri.removeprefix(f"s3://{BUCKET}/")
            until(partial(self._is_there, s3, key), f"the answer {uri}")
            with s3.get_object(Bucket=BUCKET, Key=key)["Body"] as stream:
                assert stream.read() == expected
        failed = s3.list_objects_v2(Bucket=BUCKET, Prefix="bad").get("Contents", [])
        assert [item["Key"] for item in failed] == []

    @staticmethod
    def _is_there(s3: Any, key: str) -> bool:
        return bool(s3.list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents"))


class Notebook:
    """A notebook instance that is stopped and started: it comes where it was told to go last."""

    def __init__(self, service: Service) -> None:
        instances.create(service, NOTEBOOK)
        #: where it may be going
        self.possible = {"InService"}
        self.turns = 0

    def turn(self, sagemaker: Any) -> None:
        """Stop it if it is in service, start it if it is stopped, else leave it on its way."""
        with answered():
            status = sagemaker.describe_notebook_instance(NotebookInstanceName=NOTEBOOK)[
                "NotebookInstanceStatus"
            ]
        wanted = {"InService": "Stopped", "Stopped": "InService"}.get(status)
        if wanted is None:
            return
        ask = sagemaker.stop_notebook_instance if wanted == "Stopped" else sagemaker.start_notebook_instance
        self.possible.add(wanted)
        with answered():
            ask(NotebookInstanceName=NOTEBOOK)
        self.possible.intersection_update({wanted})
        self.turns += 1

    def check(self, service: Service) -> None:
        """It is on a way that it may be on, and never failed."""
        found = instances.described(service, NOTEBOOK)
        ways = {end for end, states in WAYS.items() if found["NotebookInstanceStatus"] in states}
        assert ways, found
        assert ways <= self.possible, (ways, self.possible)
        self.possible.intersection_update(ways)

    def finish(self, service: Service) -> None:
        """It arrives, can be entered or started, and goes without a trace."""
        [end] = self.possible
        instances.wait(service, {"InService": "in_service", "Stopped": "stopped"}[end], NOTEBOOK)
        if end == "Stopped":
            service.sagemaker.start_notebook_instance(NotebookInstanceName=NOTEBOOK)
            instances.wait(service, "in_service", NOTEBOOK)
        assert httpx.get(instances.address(service, NOTEBOOK)).status_code == 302
        service.sagemaker.stop_notebook_instance(NotebookInstanceName=NOTEBOOK)
        instances.wait(service, "stopped", NOTEBOOK)
        service.sagemaker.delete_notebook_instance(NotebookInstanceName=NOTEBOOK)
        instances.wait(service, "deleted", NOTEBOOK)
        assert not (service.root / "notebooks" / NOTEBOOK).exists()
