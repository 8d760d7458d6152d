"""SageMaker, its logs and S3 as steps use them, and sessions that share what botocore has read.

Making a client costs most of its time by reading and parsing a service's model, megabytes of JSON. botocore
keeps what it has parsed in a loader, but gives every session a loader of its own. Here all sessions of a
process have the same one, and a scheduler that has warmed it up before it forks hands it to all tasks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from include.core.documents.codec import D, canonical, to_json
from include.core.exceptions import InvalidDocument
from include.core.layout import split_uri
from include.core.objects import error_code, list_objects, read_object, write_new
from include.core.sagemaker.kinds import JobKind

log = logging.getLogger(__name__)

#: answers of SageMaker to a name that exists already
TAKEN = ("ResourceInUse", "already exist")


class SageMaker:
    """What the clients of one account or service lead to, as the steps of a cycle use it.

    :param make_client: makes a boto3 client of the service it is given the name of
    """

    def __init__(self, make_client: Callable[[str], Any]) -> None:
        self._make_client = make_client
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients' types at run time
        """Return the boto3 client of a service."""
        if service not in self._clients:
            self._clients[service] = self._make_client(service)
        return self._clients[service]

    def forget_clients(self) -> None:
        """Begin with new clients: one that a signal interrupted may hold a lock for good."""
        self._clients = {}

    def endpoint_url(self, service: str) -> str | None:  # noqa: ARG002 - a connection may give one
        """Return the URL given for a service; None on AWS itself."""
        return None

    @property
    def api(self) -> Any:  # noqa: ANN401 - boto3 makes its clients' types at run time
        """The client of SageMaker itself."""
        return self.client("sagemaker")

    @property
    def s3(self) -> Any:  # noqa: ANN401 - boto3 makes its clients' types at run time
        """The client of S3."""
        return self.client("s3")

    @property
    def region(self) -> str:
        """The region jobs run in."""
        return str(self.api.meta.region_name)

    # Jobs

    def create(self, kind: JobKind, request: Mapping[str, Any]) -> bool:
        """Create something by its kind's verb; False if its name is taken."""
        return self.create_once(kind.create, request)

    def create_once(self, verb: str, request: Mapping[str, Any]) -> bool:
        """Call a creating verb of SageMaker; False if the name is taken."""
        try:
            getattr(self.api, verb)(**request)
        except self.api.exceptions.ClientError as error:
            if any(mark in f"{error_code(error)} {error}" for mark in TAKEN):
                return False
            raise
        return True

    def describe(self, kind: JobKind, name: str) -> dict[str, Any]:
        """SageMaker's own word about a job."""
        answer: dict[str, Any] = getattr(self.api, kind.describe)(**{kind.name_field: name})
        return answer

    def find_description(self, kind: JobKind, name: str) -> dict[str, Any] | None:
        """Return what SageMaker says of a job, or None if there is no such thing."""
        try:
            return self.describe(kind, name)
        except self.api.exceptions.ClientError as error:
            # SageMaker says ValidationException for what it cannot find, and says so in the message.
            if error_code(error) == "ResourceNotFound" or "ould not find" in str(error):
                return None
            raise

    def jobs(self, kind: JobKind, contains: str) -> Iterator[dict[str, Any]]:
        """Summaries of all jobs of a kind whose name contains something, the newest first."""
        verb = kind.describe.replace("describe_", "list_") + "s"
        for answer in self.api.get_paginator(verb).paginate(
            NameContains=contains, SortBy="CreationTime", SortOrder="Descending"
        ):
            yield from answer[kind.name_field.replace("Name", "Summaries")]

    # Logs

    def log_lines(self, kind: JobKind, job: str, tokens: dict[str, str]) -> Iterator[str]:
        """Yield the lines a job has logged since the last call, and bring `tokens` up to date."""
        for stream in self._streams(kind, job):
            while True:
                answer = self._page(kind, stream, tokens.get(stream))
                yield from (event["message"] for event in answer["events"])
                # CloudWatch says "that was all" by giving the same token again
                if answer["nextForwardToken"] == tokens.get(stream):
                    break
                tokens[stream] = answer["nextForwardToken"]

    def _streams(self, kind: JobKind, job: str) -> list[str]:
        logs = self.client("logs")
        try:
            answer = logs.describe_log_streams(logGroupName=kind.log_group, logStreamNamePrefix=f"{job}/")
        except logs.exceptions.ResourceNotFoundException:
            return []  # the first job ever has not logged its first line yet
        return [stream["logStreamName"] for stream in answer["logStreams"]]

    def _page(self, kind: JobKind, stream: str, token: str | None) -> dict[str, Any]:
        position = {"nextToken": token} if token else {}
        answer: dict[str, Any] = self.client("logs").get_log_events(
            logGroupName=kind.log_group, logStreamName=stream, startFromHead=True, **position
        )
        return answer

    # Objects

    def put_once(self, uri: str, body: bytes) -> bool:
        """Write an object whose name follows from its content; return False if it is there."""
        return write_new(self.s3, *split_uri(uri), body)

    def put_document(self, uri: str, value: Any) -> None:  # noqa: ANN401 - a document, or any JSON value
        """Write the canonical JSON of something whose name follows from it, unless it is there."""
        self.put_once(uri, canonical(to_json(value)).encode())

    def read(self, uri: str) -> bytes | None:
        """Return an object's bytes, or None if there is none."""
        return read_object(self.s3, *split_uri(uri))

    def read_document(self, uri: str, kind: type[D]) -> D | None:
        """Return a document, or None if there is no such object.

        :raises InvalidDocument: the object is no document of this kind
        """
        body = self.read(uri)
        return None if body is None else parse_document(uri, body, kind)

    def sizes(self, uri: str) -> dict[str, int]:
        """Bytes of every object below a URI, by the rest of its name."""
        bucket, prefix = split_uri(uri)
        return {i["Key"].removeprefix(prefix): int(i["Size"]) for i in list_objects(self.s3, bucket, prefix)}


def parse_document(uri: str, body: bytes, kind: type[D]) -> D:
    """Return the document that an object holds.

    :raises InvalidDocument: it is no document of this kind
    """
    try:
        return kind.from_text(body)
    except InvalidDocument as error:
        raise InvalidDocument(f"{uri}: {error} Was it written by hand?") from error


#: what the operators and the triggers use
SERVICES = ("sagemaker", "s3", "logs", "sagemaker-runtime", "cloudwatch")


@lru_cache(maxsize=1)
def shared_loader() -> Any:  # noqa: ANN401 - botocore has no types
    """Return the loader of this process, and of the processes forked from it."""
    # Parsing a DAG file imports this module and must not pay for botocore.
    from botocore.session import Session  # noqa: PLC0415

    return Session().get_component("data_loader")


def share(session: Any) -> Any:  # noqa: ANN401 - boto3 makes its types at run time
    """Let a boto3 session use the process's loader; the same session."""
    # boto3 keeps botocore's session to itself, as Airflow's own provider remarks.
    session._session.register_component("data_loader", shared_loader())  # noqa: SLF001
    return session


def warm() -> None:
    """Read the models of all services, by making a client of each; nothing is sent anywhere."""
    import boto3  # noqa: PLC0415 - not while a DAG file is parsed

    session = share(boto3.session.Session("x", "x", region_name="us-east-1"))
    for service in SERVICES:
        session.client(service).close()
