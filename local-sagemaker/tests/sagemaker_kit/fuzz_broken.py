"""Requests that no client writes: valid ones with something in them spoilt."""
# ruff: noqa: ANN401 (values of JSON can be anything)

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from hypothesis import strategies as st

from sagemaker_kit.fuzz_wire import Sent

FORM = "application/x-www-form-urlencoded"
DEEP: Any = "bottom"
for _ in range(90):
    DEEP = [DEEP]
#: texts that stumble on being a name, a path, a number, a time, a token, a document
TEXTS = [
    *("", " ", "\x00", "a\x00b", "\n", "\u202e", "\ufeff", "e\u0301", "I\u0307", "\U0001f600", "\uffff"),
    *("..", "../../etc/passwd", "/", "a/b", "a//b", ".", "%2e%2e", "%00", "%", "x" * 300, "x" * 5000),
    *("s3://", "s3://lab", "s3:///k", "s3://lab/../x", "arn:", "arn:aws:sagemaker", "arn:aws:s3:::lab"),
    *("-1", "0", "1e999", "NaN", "9" * 30, "9" * 5000, "0x1", "1_000", "\u0661", "\u00b2", "true", "null"),
    *("2020-13-45", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "Thu, 99 Foo 2020 00:00:00 GMT"),
    *("{}", "[", "[]", "null", "{{", "$.a[", "((", "*", "bytes=5-1", "bytes=-0", "bytes=", "W/", '"'),
    # tokens: no base64, and of 0, -1, null, [], {}, [1], [{}, 1], ["a", []], [null, null]
    *("=", "a", "MA==", "LTE=", "bnVsbA==", "W10=", "e30=", "WzFd", "W3t9LCAxXQ==", "WyJhIiwgW11d"),
    *("W251bGwsIG51bGxd", "/w==", "MWU5OTk="),
]
#: JSON can tell a lone surrogate, and no other protocol
ODD = [
    *(None, True, -1, 0, 1.5, 2**31, 2**63, 10**30, -(10**18), 1e308, float("nan"), float("inf")),
    *(
        [],
        {},
        [[]],
        {"": None},
        [None],
        {"a": {"b": []}},
        DEEP,
        {"$time": "x"},
        {"$time": 1.0},
        "\ud800",
        "a\udfff",
        *TEXTS,
    ),
]
RAW = [
    *(
        b"",
        b" ",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"1",
        b"NaN",
        b'{"a":',
        b"\xff\xfe",
        b"\x00",
        b"\xef\xbb\xbf{}",
    ),
    *(b"[" * 5000, b'{"a":' * 5000, b"9" * 5000, b"1e999", b'"\\ud800"', b'{"":1,"":2}'),
    *(b"<a>", b"<a/>", b"<a>&b;</a>", b"<!DOCTYPE a><a/>", b"<a>" * 3000, b"<\xff>", b"<?xml encoding='x'?>"),
    *(b"Action=", b"Action=GetRole", b"=&=&=", b"%", b"%ff=%ff", b"a=1&a=2", b"\r\n\r\n"),
]
HEADERS = {
    "content-type": ["", "text/xml", "application/json", FORM, "a/b; c=\xff", "application/cbor"],
    "x-amz-target": ["", ".", "SageMaker", "SageMaker.", "SageMaker.\xff", "Logs_20140328.DescribeLogGroups"],
    "authorization": ["", "Basic x", "AWS4-HMAC-SHA256 Credential=", "Bearer \xff"],
    "content-encoding": ["gzip", "aws-chunked", "x"],
    "x-amz-content-sha256": ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-", "0" * 64, "x"],
    "x-amz-decoded-content-length": ["-1", "x", "9" * 40, "0"],
    "x-amz-trailer": ["x-amz-checksum-crc32", "x", ","],
    "x-amz-checksum-crc32": ["", "x", "AAAAAA=="],
    "x-amz-sdk-checksum-algorithm": ["x", "CRC32"],
    "content-md5": ["", "x", "AAAA"],
    "range": ["bytes=5-1", "bytes=-0", "bytes=0-0,2-3", "bytes=" + "9" * 5000 + "-", "x"],
    "if-match": ["", "*", '"', "x, y"],
    "if-none-match": ["", "*", "W/"],
    "if-modified-since": ["", "x", "Thu, 99 Foo 2020 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +1400"],
    "x-amz-copy-source": ["", "/", "lab", "lab/", "lab/rows/a.csv?versionId=x", "%ff/%ff", "lab/%00"],
    "x-amz-copy-source-range": ["", "bytes=0-0", "x", "bytes=9-1"],
    "x-amz-meta-k": ["\xff"],
    "x-amz-tagging": ["a", "a=b=c", "&&", "%ff=1", "a=1&a=2"],
    "accept": ["", "\xff", "*/*;q=x"],
    "expect": ["x"],
    "connection": ["upgrade", "close"],
    "upgrade": ["websocket", "h2c"],
}


def spoilt(sent: Sent) -> st.SearchStrategy[Sent]:
    """The request with one thing wrong, or two."""
    once = _once(sent)
    return st.one_of(once, once, once.flatmap(_once))


def _once(sent: Sent) -> st.SearchStrategy[Sent]:
    raw = st.sampled_from(RAW).map(lambda body: replace(sent, body=body))
    ways = [_lost(way) for way in (_head(sent), raw, _target(sent))]
    found = _document(sent)
    if isinstance(found, dict):
        ways += [_json(sent, found)] * 5
    elif "urlencoded" in str(sent.headers.get("Content-Type")):
        ways += [_lost(_form(sent))] * 5
    elif sent.body.startswith(b"<"):
        ways += [_xml(sent)] * 3
    if "?" in sent.target:
        ways += [_lost(_query(sent))] * 3
    own = [name for name in sent.headers if name != "Authorization"]
    if own:
        ways.append(_lost(_own_header(sent, own)))
    return st.one_of(ways)


def _lost(way: st.SearchStrategy[Sent]) -> st.SearchStrategy[Sent]:
    return way.map(lambda sent: replace(sent, is_lost=True))


def _document(sent: Sent) -> Any:
    try:
        return json.loads(sent.body)
    except (ValueError, RecursionError):
        return None


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        if len(path) < 12:
            yield from _places(item, (*path, key))


def _json(sent: Sent, document: Any) -> st.SearchStrategy[Sent]:
    places = list(_places(document)) or [("Unknown",)]

    def put(place: tuple[Any, ...], *value: Any) -> Sent:
        changed = json.loads(json.dumps(document))
        holder = changed
        for key in place[:-1]:
            holder = holder[key]
        if value:
            holder[place[-1]] = value[0]
        elif not isinstance(holder, dict) or place[-1] in holder:
            del holder[place[-1]]
        return replace(sent, body=json.dumps(changed).encode())

    place = st.sampled_from(places)
    odd = st.builds(put, place, st.sampled_from(ODD))
    return st.one_of(st.builds(put, place), odd, odd, odd)


def _form(sent: Sent) -> st.SearchStrategy[Sent]:
    pairs = parse_qsl(sent.body.decode(), keep_blank_values=True)
    return _pairs(pairs).map(lambda changed: replace(sent, body=urlencode(changed).encode()))


def _query(sent: Sent) -> st.SearchStrategy[Sent]:
    path, _, query = sent.target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    return _pairs(pairs).map(lambda changed: replace(sent, target=f"{path}?{urlencode(changed)}"))


def _pairs(pairs: Sequence[tuple[str, str]]) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Fields of which one is left out, renamed, doubled, or another text."""

    def change(number: int, name: str | None, value: str | None) -> list[tuple[str, str]]:
        changed = list(pairs)
        if not changed:
            return [(name or "", value or "")]
        old = changed.pop(number)
        if name is None and value is None:
            return changed
        return [*changed, (name or old[0], old[1] if value is None else value)]

    names = st.sampled_from(["", ".", "a.member", "Tags.member.1", "Action", "Version", "a.entry.1.key"])
    number = st.integers(0, max(0, len(pairs) - 1))
    texts = st.sampled_from(TEXTS)
    return st.one_of(
        st.builds(change, number, st.none(), texts),
        st.builds(change, number, names, st.none() | texts),
        st.builds(change, number, st.none(), st.none()),
    )


def _xml(sent: Sent) -> st.SearchStrategy[Sent]:
    """An element's text becomes another one, or an end is cut off, or a tag is renamed."""
    texts = [match.span() for match in re.finditer(rb"(?<=>)[^<>]*(?=<)", sent.body)] or [(0, 0)]
    odd = st.sampled_from(TEXTS).map(lambda text: text.replace("&", "&amp;").replace("<", "&lt;").encode())

    def put(span: tuple[int, int], value: bytes) -> Sent:
        return replace(sent, body=sent.body[: span[0]] + value + sent.body[span[1] :])

    names = re.findall(rb"<(\w+)", sent.body) or [b"a"]
    renamed = st.sampled_from(names).map(lambda name: replace(sent, body=sent.body.replace(name, b"Odd")))
    cut = st.integers(0, len(sent.body)).map(lambda end: replace(sent, body=sent.body[:end]))
    return st.one_of(st.builds(put, st.sampled_from(texts), odd), renamed, cut)


def _head(sent: Sent) -> st.SearchStrategy[Sent]:
    """One header more, or another."""

    def put(pair: tuple[str, str]) -> Sent:
        kept = {name: value for name, value in sent.headers.items() if name.lower() != pair[0]}
        return replace(sent, headers={**kept, pair[0]: pair[1].encode("latin-1")})

    return st.sampled_from([(name, value) for name, given in HEADERS.items() for value in given]).map(put)


def _own_header(sent: Sent, names: list[str]) -> st.SearchStrategy[Sent]:
    carried = [text.encode() for text in TEXTS if not re.search(r"[\r\n\x00]", text)]

    def put(name: str, value: bytes) -> Sent:
        return replace(sent, headers={**sent.headers, name: value})

    return st.builds(put, st.sampled_from(names), st.sampled_from(carried))


def _target(sent: Sent) -> st.SearchStrategy[Sent]:
    """Another path, or a query string that nobody asked for."""
    path, _, query = sent.target.partition("?")
    ends = ["%00", "%ff", "/", "//", "/../..", "/%2e%2e/%2e%2e", "%F0%9F%98%80", *map(quote, TEXTS[:12])]
    asked = ["uploads", "tagging", "acl", "versionId=x", "uploadId=", "partNumber=x", "max-keys=-1"]
    asked += [
        "list-type=2&continuation-token=%ff",
        "X-Amz-Signature=x",
        "delete",
        "encoding-type=x",
        "=",
        "%",
    ]
    paths = st.sampled_from(ends).map(lambda end: f"{path}{end}{'?' if query else ''}{query}")
    queries = st.sampled_from(asked).map(lambda more: f"{path}?{query}{'&' if query else ''}{more}")
    methods = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "ODD"])
    return st.one_of(
        (paths | queries).map(lambda target: replace(sent, target=target)),
        methods.map(lambda method: replace(sent, method=method)),
    )
