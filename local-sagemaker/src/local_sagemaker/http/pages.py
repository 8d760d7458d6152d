"""What a person's browser sees of the service: its jobs with their logs, its endpoints and its objects.

Pages are read; nothing on them changes anything. No AWS client asks for HTML, so whoever does is a person.
They have no scripts, and say so to the browser: what they show was written by programs.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import jinja2

from local_sagemaker.engine.jobs.pool import PROCESSING, TERMINAL, TRAINING, TRANSFORM
from local_sagemaker.engine.processes import logs
from local_sagemaker.errors import AwsError
from local_sagemaker.protocol.http import HttpRequest, HttpResponse
from local_sagemaker.services.context import Context
from local_sagemaker.services.sagemaker.resources import listed
from local_sagemaker.storage.objects.objects import ObjectInfo
from local_sagemaker.storage.store import Resource

TEMPLATES = Path(__file__).resolve().parent / "templates"
#: a page of a bucket shows no more entries than this
ENTRY_LIMIT = 1000
#: how many jobs and endpoints the first page shows, of each kind
RESOURCES = 25
#: lines of a log: below a job that runs, and on the job's own page
TAIL_LINES, LOG_LINES = 6, 400
#: how often a page of what runs is read again, in seconds
REFRESH_S = 5
#: kinds of jobs by the words of their ARNs
JOBS = {kind.kind: kind for kind in (TRAINING, PROCESSING, TRANSFORM)}


@dataclass(frozen=True)
class Job:
    """A job as the pages show it."""

    kind: str
    name: str
    status: str
    began: str
    #: how long it has taken, as 1:02:03
    duration: str
    is_running: bool
    reason: str
    #: the last lines of each of its streams, by the stream's name
    tails: dict[str, list[str]]


def show(context: Context, request: HttpRequest) -> HttpResponse:
    """Return the page of a path: the service's own, one job's (`/?job=training-job/NAME`), or a bucket's."""
    query, path = dict(request.query), unquote(request.path.strip("/"))
    if path:
        return show_bucket(context, path, query.get("prefix", ""))
    if "job" in query:
        return _show_job(context, query["job"])
    jobs = [_job(context, item, TAIL_LINES) for kind in JOBS for item in _newest(context, kind)]
    jobs.sort(key=lambda job: (job.is_running, job.began), reverse=True)
    return _page(
        "home.html",
        title="Local SageMaker",
        jobs=jobs,
        endpoints=[(item.name, item.status, _time(item.created)) for item in _newest(context, "endpoint")],
        buckets=[(name, f"/{quote(name)}") for name in sorted(_buckets(context))],
        refresh_s=REFRESH_S,
        root=str(context.root),
    )


def show_bucket(context: Context, bucket: str, prefix: str) -> HttpResponse:
    """Return a page of the folders and objects directly below a prefix; S3's own answer is XML."""
    title, above = f"{bucket}/{prefix}", prefix.rstrip("/").rpartition("/")[0]
    up = _folder(bucket, f"{above}/" if above else "") if prefix else "/"
    try:
        entries = list(islice(context.objects.entries(bucket, prefix, delimiter="/"), ENTRY_LIMIT + 1))
    except AwsError as error:
        return _page("bucket.html", error.status, title=title, up="/", entries=[], message=error.message)
    message = f"There are more than these {ENTRY_LIMIT}: list them with an S3 client."
    return _page(
        "bucket.html",
        title=title,
        up=up,
        entries=[_entry(bucket, prefix, entry) for entry in entries[:ENTRY_LIMIT]],
        message=message if len(entries) > ENTRY_LIMIT else "",
    )


def _show_job(context: Context, text: str) -> HttpResponse:
    kind, _, name = text.partition("/")
    resource = context.store.get(kind, name) if kind in JOBS else None
    if resource is None:
        return _page("job.html", 404, title=text, job=None)
    job = _job(context, resource, LOG_LINES)
    return _page("job.html", title=name, job=job, refresh_s=REFRESH_S if job.is_running else None)


def _newest(context: Context, kind: str) -> list[Resource]:
    return list(listed(context, kind, {"MaxResults": RESOURCES})[0])


def _buckets(context: Context) -> list[str]:
    return [name for name, _created in context.objects.buckets()]


def _job(context: Context, resource: Resource, lines: int) -> Job:
    kind, is_running = JOBS[resource.kind], resource.status not in TERMINAL
    end = resource.document.get(f"{kind.noun.removesuffix('Job')}EndTime")
    ended = end.timestamp() if isinstance(end, datetime) else resource.modified
    is_shown = is_running or lines > TAIL_LINES
    return Job(
        kind=resource.kind,
        name=resource.name,
        status=str(
            resource.document.get("SecondaryStatus", resource.status) if is_running else resource.status
        ),
        began=_time(resource.created),
        duration=_duration((datetime.now(UTC).timestamp() if is_running else ended) - resource.created),
        is_running=is_running,
        reason=str(resource.document.get("FailureReason", "")),
        tails=_tails(context, kind.log_group, resource.name, lines) if is_shown else {},
    )


def _tails(context: Context, group: str, name: str, lines: int) -> dict[str, list[str]]:
    streams = logs.streams(context.root, group, f"{name}/") or []
    return {
        stream: [event.message for event in logs.tail(logs.path(context.root, group, stream), lines)]
        for stream in streams
    }


def _entry(bucket: str, prefix: str, entry: ObjectInfo | str) -> dict[str, Any]:
    if isinstance(entry, str):
        return {"name": entry.removeprefix(prefix), "link": _folder(bucket, entry), "size": None}
    link = f"/{quote(bucket)}/{quote(entry.key)}"
    return {"name": entry.key.removeprefix(prefix), "link": link, "size": entry.size}


def _folder(bucket: str, prefix: str) -> str:
    return f"/{quote(bucket)}?list-type=2&prefix={quote(prefix, safe='')}"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def _duration(seconds: float) -> str:
    minutes, second = divmod(max(0, int(seconds)), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> tuple[str, str]:
    """Return the pages' style, and the policy that allows a browser this style and nothing else."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return style, (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _page(template: str, status: int = 200, **given: Any) -> HttpResponse:  # noqa: ANN401 - a template's values
    style, policy = _style()
    given.setdefault("refresh_s", None)
    text = _environment().get_template(template).render(style=style, **given)
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
    return HttpResponse(status, text.encode("utf-8", "replace"), headers | {"cache-control": "no-store"})
