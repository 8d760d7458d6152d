"""Resources that outlive the service, in SQLite. The statements are in queries.py, the tables in schema.sql.

A change is on the disk (write-ahead log, `synchronous=FULL`) when the method that makes it returns. All
methods may be called from any thread. Times are seconds since 1970; see documents.py for what they hold.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from local_sagemaker.storage import documents, migrations, queries
from local_sagemaker.storage.documents import Picked, dumps, parsed

Document = documents.Document
SortBy = Literal["name", "created", "modified", "status"]


class TakenError(Exception):
    """There is a resource of that kind and name already."""


class MissingError(Exception):
    """There is no resource of that kind and name."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One job, model, endpoint, package, ..."""

    kind: str
    name: str
    arn: str
    status: str = ""
    #: seconds since 1970, UTC
    created: float
    modified: float
    #: what the Describe operation answers
    document: Document
    #: what the service needs besides: the lifecycle's state, places on the disk
    state: Document = field(default_factory=dict)
    #: the group of a model package, else empty
    parent: str = ""

    def changed(self, members: Mapping[str, Any], **fields: Any) -> Resource:  # noqa: ANN401
        """Return the resource with other members of its document, and other fields, modified now."""
        now = time.time()
        document = {**self.document, **members, "LastModifiedTime": documents.moment(now)}
        return replace(self, document=document, modified=now, **fields)


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which resources of a kind, in which order; None means any. Bounds of time are exclusive."""

    name_contains: str | None = None
    name_prefix: str | None = None
    status: str | None = None
    parent: str | None = None
    created_after: float | None = None
    created_before: float | None = None
    modified_after: float | None = None
    modified_before: float | None = None
    sort_by: SortBy = "created"
    is_descending: bool = False
    limit: int | None = None
    #: start behind this one: (value of sort_by, name)
    after: tuple[str | float, str] | None = None


class Store:
    """The database of one service; see the module."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        self._connection.row_factory = sqlite3.Row
        for statement in queries.SETTINGS:
            self._connection.execute(statement)
        try:
            migrations.migrate(self._connection, path)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the database; further calls fail."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep all that is changed within at once, or, when it raises, nothing of it."""
        with self._transaction():
            yield

    def insert(self, resource: Resource, tags: Mapping[str, str] | None = None) -> None:
        """Keep a new resource with its tags; TakenError if the name or the ARN is taken."""
        with self._transaction() as connection:
            try:
                connection.execute(queries.INSERT, _row(resource))
            except sqlite3.IntegrityError as error:
                raise TakenError(f"There is a {resource.kind} {resource.name} already.") from error
            self._put_tags(resource.arn, tags or {})

    def get(self, kind: str, name: str) -> Resource | None:
        """One resource, or None."""
        return self._one(queries.GET, {"kind": kind, "name": name})

    def by_arn(self, arn: str) -> Resource | None:
        """Return the resource an ARN means, or None."""
        return self._one(queries.BY_ARN, {"arn": arn})

    def change(self, kind: str, name: str, change: Callable[[Resource], Resource]) -> Resource:
        """Replace a resource by `change(resource)`, in one transaction; MissingError if there is none.

        What `change` raises leaves the resource as it was. Kind, name, ARN and creation time never change.
        """
        with self._transaction() as connection:
            resource = self.get(kind, name)
            if resource is None:
                raise MissingError(f"There is no {kind} {name}.")
            changed = change(resource)
            connection.execute(queries.UPDATE, _row(changed))
            return changed

    def delete(self, kind: str, name: str) -> bool:
        """Forget a resource and its tags; False if there was none."""
        with self._transaction() as connection:
            resource = self.get(kind, name)
            if resource is None:
                return False
            connection.execute(queries.DELETE_TAGS_OF, {"arn": resource.arn})
            connection.execute(queries.DELETE, {"kind": kind, "name": name})
            return True

    def search(self, kind: str, query: Query | None = None) -> list[Resource]:
        """Return the resources of a kind that fit `query`, in its order."""
        query = query or Query()
        filters = {key: value for key in queries.FILTERS if (value := getattr(query, key)) is not None}
        statement = queries.list_resources(
            tuple(filters),
            query.sort_by,
            is_descending=query.is_descending,
            is_continued=query.after is not None,
        )
        value, after = query.after or (None, None)
        limit = -1 if query.limit is None else query.limit
        parameters = {**filters, "kind": kind, "value": value, "after": after, "limit": limit}
        with self._lock:
            return [_resource(row) for row in self._connection.execute(statement, parameters)]

    def pick(self, kind: str, members: Iterable[str]) -> list[Picked]:
        """All resources of a kind, of each no more than these members of its document."""
        names = list(members)
        # of one path, SQLite would answer the bare value instead of a list
        paths = [f'$."{name}"' for name in names] + ["$.none"] if names else []
        picked = f"json_extract(document, {', '.join('?' * len(paths))})" if names else "'[]'"
        with self._lock:
            rows = self._connection.execute(queries.PICK.format(picked=picked), (*paths, kind)).fetchall()
        return [
            Picked(
                row["name"],
                row["arn"],
                row["modified"],
                dict(zip(names, parsed(row["picked"]), strict=False)),
            )
            for row in rows
        ]

    def tags_of_kind(self, kind: str) -> dict[str, dict[str, str]]:
        """Return the tags of all resources of a kind that have any, by ARN."""
        with self._lock:
            rows = self._connection.execute(queries.TAGS_OF_KIND, {"kind": kind}).fetchall()
        tags: dict[str, dict[str, str]] = {}
        for row in rows:
            tags.setdefault(row["arn"], {})[row["key"]] = row["value"]
        return tags

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource, by key."""
        with self._lock:
            rows = self._connection.execute(queries.TAGS, {"arn": arn}).fetchall()
        return {row["key"]: row["value"] for row in rows}

    def add_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags to a resource, or give those it has new values."""
        with self._transaction():
            self._put_tags(arn, tags)

    def delete_tags(self, arn: str, keys: list[str]) -> None:
        """Take tags away; keys that are not there do not matter."""
        with self._transaction() as connection:
            connection.executemany(queries.DELETE_TAG, [{"arn": arn, "key": key} for key in keys])

    def put_points(self, rows: Iterable[Mapping[str, Any]], forget_before: float) -> None:
        """Keep points of metrics (rows of `metric_point`), and forget those that are too old."""
        with self._transaction() as connection:
            connection.executemany(queries.PUT_POINT, rows)
            connection.execute(queries.FORGET_POINTS, {"before": forget_before})

    def points(self, **series: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (the parameters of POINTS)
        """Return the points of one series (namespace, metric, dimensions) with `begin` <= time < `end`."""
        with self._lock:
            return [dict(row) for row in self._connection.execute(queries.POINTS, series)]

    def series(self) -> list[tuple[str, str, str]]:
        """Namespace, metric and dimensions of all series that have points."""
        with self._lock:
            return [tuple(row) for row in self._connection.execute(queries.SERIES)]

    def _put_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        rows = [{"arn": arn, "key": key, "value": value} for key, value in tags.items()]
        self._connection.executemany(queries.PUT_TAG, rows)

    def _one(self, statement: str, parameters: Mapping[str, str]) -> Resource | None:
        with self._lock:
            row = self._connection.execute(statement, parameters).fetchone()
        return None if row is None else _resource(row)

    def _is_within(self) -> bool:
        return self._connection.in_transaction

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One write at a time; on the disk when the block ends, undone when it raises."""
        with self._lock:
            if self._is_within():  # a change of this thread's, which has the lock: kept with that
                yield self._connection
                return
            self._connection.execute(queries.BEGIN)
            try:
                yield self._connection
                self._connection.execute(queries.COMMIT)
            except BaseException:
                # a full disk ends a transaction by itself, sometimes
                if self._connection.in_transaction:
                    self._connection.execute(queries.ROLLBACK)
                raise


def _row(resource: Resource) -> dict[str, Any]:
    return {
        **{name: getattr(resource, name) for name in queries.COLUMNS},
        "document": dumps(resource.document),
        "state": dumps(resource.state),
    }


def _resource(row: sqlite3.Row) -> Resource:
    values = {name: row[name] for name in queries.COLUMNS}
    return Resource(**{**values, "document": parsed(row["document"]), "state": parsed(row["state"])})
