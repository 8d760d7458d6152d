"""Which operation of which service a request is for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qsl, unquote

from botocore.model import OperationModel

from local_sagemaker.errors import SerializationException, UnknownOperation
from local_sagemaker.protocol import models
from local_sagemaker.protocol.http import HttpRequest

CREDENTIAL = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
FORM = "application/x-www-form-urlencoded"
#: services that are asked by path, without credentials, before a path means a bucket
PLAIN_PATHS = ("sagemaker-runtime", "sagemaker-metrics")


@dataclass(frozen=True)
class Route:
    """Where a request goes."""

    service: str
    protocol: str
    operation: str
    #: values of the labels in the path, still without their types
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """One operation of a REST service, as its model describes its requests."""

    operation: str
    method: str
    path: re.Pattern[str]
    #: what must be in the query string: a name, or a name and its value
    query: dict[str, str | None]
    #: headers that must be there
    headers: frozenset[str]

    @property
    def weight(self) -> int:
        """How particular the rule is: of two that fit, the heavier is meant."""
        return len(self.query) + len(self.headers)

    def fits(self, request: HttpRequest, path: str) -> re.Match[str] | None:
        """Return the match of the path, if method, query and headers fit as well."""
        if request.method != self.method or not all(name in request.headers for name in self.headers):
            return None
        for name, value in self.query.items():
            given = request.parameter(name)
            if given is None or value not in (None, given):
                return None
        return self.path.fullmatch(path)


def route(request: HttpRequest, form: dict[str, str]) -> Route:
    """Return the operation that `request` asks for; `form` holds the fields of a query request's body."""
    target = request.headers.get("x-amz-target")
    if target:
        prefix, _, operation = target.partition(".")
        service = models.services_by("targetPrefix", "json").get(prefix)
        if service is None:
            raise UnknownOperation(f"{target}: this local service knows no target {prefix!r}.")
        return Route(service, "json", operation)
    if "Action" in form:
        service = models.services_by("apiVersion", "query").get(form.get("Version", ""))
        if service is None:
            raise UnknownOperation(f"{form['Action']}: no service here has version {form.get('Version')!r}.")
        return Route(service, "query", form["Action"])
    services = _candidates(request)
    for service in services:
        matched = _by_path(request, service)
        if matched:
            return matched
    raise UnknownOperation(f"No operation of {', '.join(services)} is {request.method} {request.path}.")


def signing_name(request: HttpRequest) -> str | None:
    """Return the service that the signature of a request names."""
    header = CREDENTIAL.search(request.headers.get("authorization", ""))
    if header:
        return header.group(1)
    scope = (request.parameter("X-Amz-Credential") or "").split("/")
    return scope[3] if len(scope) == 5 else None  # noqa: PLR2004 (key, date, region, service, aws4_request)


def _candidates(request: HttpRequest) -> tuple[str, ...]:
    named = signing_name(request)
    if named is None:
        return (*PLAIN_PATHS, "s3")
    services = models.signing_names().get(named, ())
    rest = tuple(s for s in services if models.service_model(s).protocol.startswith("rest"))
    if not rest:
        raise UnknownOperation(f"{named}: {request.method} {request.path} names no operation.")
    return rest


def _by_path(request: HttpRequest, service: str) -> Route | None:
    protocol = models.service_model(service).protocol
    for rule in rules(service):
        match = rule.fits(request, request.path)
        if match:
            return Route(service, protocol, rule.operation, _labels(match))
    return None


def _labels(match: re.Match[str]) -> dict[str, str]:
    try:
        return {name: unquote(value, errors="strict") for name, value in match.groupdict().items()}
    except UnicodeDecodeError as error:
        raise SerializationException(f"The path {match.string!r} is not valid UTF-8.") from error


@cache
def rules(service: str) -> tuple[Rule, ...]:
    """Return the rules of a REST service, the most particular first."""
    model = models.service_model(service)
    operations = [model.operation_model(name) for name in model.operation_names]
    # some deprecated operations have the path of those that took their place
    operations.sort(key=lambda operation: operation.deprecated)
    return tuple(sorted(map(_rule, operations), key=lambda rule: -rule.weight))


def _rule(operation: OperationModel) -> Rule:
    path, _, query = operation.http["requestUri"].partition("?")
    needed: dict[str, str | None] = {
        name: value or None for name, value in parse_qsl(query, keep_blank_values=True)
    }
    headers = set()
    for location, name in _required(operation):
        if location == "querystring":
            needed.setdefault(name, None)
        elif location == "header" and not query:  # where the query tells already, a header may be missing
            headers.add(name.lower())
    return Rule(operation.name, operation.http["method"], _template(path), needed, frozenset(headers))


def _required(operation: OperationModel) -> Iterator[tuple[str | None, str]]:
    shape = operation.input_shape
    if shape is None:
        return
    for name in shape.required_members:
        serialization = shape.members[name].serialization
        yield serialization.get("location"), serialization.get("name", name)


def _template(path: str) -> re.Pattern[str]:
    """`/{Bucket}/{Key+}` as a regular expression; a greedy label takes slashes as well."""
    pieces = re.split(r"\{([^}]+)\}", path)
    pattern = ""
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            pattern += re.escape(piece)
        elif piece.endswith("+"):
            pattern += f"(?P<{piece[:-1]}>.+)"
        else:
            pattern += f"(?P<{piece}>[^/]+)"
    ending = "" if path.endswith(("/", "+}")) else "/?"
    return re.compile(pattern + ending, re.DOTALL)


def form_of(request: HttpRequest, body: bytes) -> dict[str, str]:
    """Return the fields of a form; raise SerializationException when the body is no UTF-8."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise SerializationException(f"The form of request {request.id} is not valid UTF-8.") from error
    return dict([*request.query, *pairs])
