"""A bucket as a person's browser sees it: folders and objects to click through.

S3 answers with XML, which a browser shows as text. No AWS client asks for HTML, so whoever does is a person.
"""

from __future__ import annotations

from html import escape
from itertools import islice
from urllib.parse import quote, unquote

from local_sagemaker.errors import AwsError
from local_sagemaker.protocol.http import HttpRequest, HttpResponse
from local_sagemaker.services.context import Context
from local_sagemaker.storage.objects.objects import ObjectInfo

#: a page shows no more entries than this
LIMIT = 1000
STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "td{padding:.15rem 1.5rem .15rem 0;overflow-wrap:anywhere}.n{text-align:right}"
    ":root{color-scheme:light dark}"
)


def is_browsing(request: HttpRequest) -> bool:
    """Whether a person's request is for a bucket, not for an object."""
    return "/" not in request.path.strip("/")


def page(context: Context, request: HttpRequest) -> HttpResponse:
    """Return the folders and objects directly below the query's `prefix`."""
    bucket = unquote(request.path.strip("/"))
    prefix = dict(request.query).get("prefix", "")
    try:
        entries = list(islice(context.objects.entries(bucket, prefix, delimiter="/"), LIMIT + 1))
    except AwsError as error:
        return _html(error.status, bucket, f"<p>{escape(error.message)}</p>")
    rows = [_row(bucket, prefix, entry) for entry in entries[:LIMIT]]
    if len(entries) > LIMIT:
        rows.append(f"<tr><td>and more than these {LIMIT}: list them with an S3 client</td></tr>")
    return _html(200, f"{bucket}/{prefix}", f"{_above(bucket, prefix)}<table>{''.join(rows)}</table>")


def _row(bucket: str, prefix: str, entry: ObjectInfo | str) -> str:
    if isinstance(entry, str):
        return (
            f'<tr><td><a href="{_folder(bucket, entry)}">{escape(entry.removeprefix(prefix))}</a></td></tr>'
        )
    name = escape(entry.key.removeprefix(prefix))
    link = escape(f"/{quote(bucket)}/{quote(entry.key)}")
    size = f"{entry.size:,} bytes"
    return f'<tr><td><a href="{link}">{name}</a></td><td class="n">{size}</td></tr>'


def _above(bucket: str, prefix: str) -> str:
    if not prefix:
        return ""
    above = prefix.rstrip("/").rpartition("/")[0]
    return f'<p><a href="{_folder(bucket, f"{above}/" if above else "")}">one folder up</a></p>'


def _folder(bucket: str, prefix: str) -> str:
    return escape(f"/{quote(bucket)}?list-type=2&prefix={quote(prefix, safe='')}")


def _html(status: int, title: str, body: str) -> HttpResponse:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    text = f"{head}<style>{STYLE}</style><h1>{escape(title)}</h1>{body}</html>"
    return HttpResponse(status, text.encode(), {"content-type": "text/html; charset=utf-8"})
