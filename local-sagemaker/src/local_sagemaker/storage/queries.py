"""Every SQL statement of the store, by name. `schema.sql` beside it makes the tables."""

from __future__ import annotations

from functools import cache

COLUMNS = ("kind", "name", "parent", "arn", "status", "created", "modified", "document", "state")
#: by member of store.Query: what it asks of a resource
FILTERS = {
    "name_contains": "instr(lower(name), lower(:name_contains)) > 0",
    "name_prefix": "substr(name, 1, length(:name_prefix)) = :name_prefix",
    "status": "status = :status",
    "parent": "parent = :parent",
    "created_after": "created > :created_after",
    "created_before": "created < :created_before",
    "modified_after": "modified > :modified_after",
    "modified_before": "modified < :modified_before",
}

#: readers do not wait for writers, and a commit is on the disk when it returns
SETTINGS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON")
VERSION = "PRAGMA user_version"
MIGRATION = "BEGIN IMMEDIATE; {statements} PRAGMA user_version = {number}; COMMIT;"
COPY = "VACUUM INTO :path"
BEGIN = "BEGIN IMMEDIATE"
COMMIT = "COMMIT"
ROLLBACK = "ROLLBACK"

INSERT = """
INSERT INTO resource (kind, name, parent, arn, status, created, modified, document, state)
VALUES (:kind, :name, :parent, :arn, :status, :created, :modified, :document, :state)
"""
GET = "SELECT * FROM resource WHERE kind = :kind AND name = :name"
BY_ARN = "SELECT * FROM resource WHERE arn = :arn"
UPDATE = """
UPDATE resource SET status = :status, modified = :modified, document = :document, state = :state
WHERE kind = :kind AND name = :name
"""
DELETE = "DELETE FROM resource WHERE kind = :kind AND name = :name"

PICK = "SELECT name, arn, modified, {picked} AS picked FROM resource WHERE kind = ?"
TAGS_OF_KIND = """
SELECT tag.arn, tag.key, tag.value FROM tag JOIN resource ON resource.arn = tag.arn
WHERE resource.kind = :kind ORDER BY tag.key
"""
TAGS = "SELECT key, value FROM tag WHERE arn = :arn ORDER BY key"
PUT_TAG = """
INSERT INTO tag (arn, key, value) VALUES (:arn, :key, :value)
ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value
"""
DELETE_TAG = "DELETE FROM tag WHERE arn = :arn AND key = :key"
DELETE_TAGS_OF = "DELETE FROM tag WHERE arn = :arn"

PUT_POINT = """
INSERT INTO metric_point (namespace, metric, dimensions, at, unit, low, high, content)
VALUES (:namespace, :metric, :dimensions, :at, :unit, :low, :high, :content)
"""
POINTS = """
SELECT * FROM metric_point
WHERE namespace = :namespace AND metric = :metric AND dimensions = :dimensions
  AND at >= :begin AND at < :end
ORDER BY at, number
"""
SERIES = (
    "SELECT DISTINCT namespace, metric, dimensions FROM metric_point ORDER BY namespace, metric, dimensions"
)
FORGET_POINTS = "DELETE FROM metric_point WHERE at < :before"


@cache
def list_resources(filters: tuple[str, ...], column: str, *, is_descending: bool, is_continued: bool) -> str:
    """Return the statement that lists a kind's resources by these filters, in the order of a column and name.

    :param is_continued: whether to begin behind the resource with `:value` in the column, named `:after`.
    """
    comparison, direction = ("<", "DESC") if is_descending else (">", "ASC")
    conditions = ["kind = :kind", *(FILTERS[name] for name in filters)]
    if is_continued:
        conditions.append(f"({column}, name) {comparison} (:value, :after)")
    # what is the same in all rows changes no order, and lets an index answer
    same = [name for name in ("parent", "status") if name in filters][:1]
    order = [*same, "name"] if column == "name" else [column, "name"]
    return (
        f"SELECT * FROM resource WHERE {' AND '.join(conditions)} "  # noqa: S608 (names of this module alone)
        f"ORDER BY {', '.join(f'{name} {direction}' for name in order)} LIMIT :limit"
    )
