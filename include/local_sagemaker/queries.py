"""Every SQL statement of the store, by name. `schema.sql` beside it makes the tables."""

from __future__ import annotations

COLUMNS = ("kind", "name", "parent", "arn", "status", "created", "modified", "document", "state")
#: members of store.Query that are parameters of LIST
FILTERS = (
    *("name_contains", "status", "parent"),
    *("created_after", "created_before", "modified_after", "modified_before"),
)

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

_LIST = """
SELECT * FROM resource
WHERE kind = :kind
  AND (:name_contains IS NULL OR instr(lower(name), lower(:name_contains)) > 0)
  AND (:status IS NULL OR status = :status)
  AND (:parent IS NULL OR parent = :parent)
  AND (:created_after IS NULL OR created > :created_after)
  AND (:created_before IS NULL OR created < :created_before)
  AND (:modified_after IS NULL OR modified > :modified_after)
  AND (:modified_before IS NULL OR modified < :modified_before)
  AND (:after IS NULL OR (@column, name) @comparison (:value, :after))
ORDER BY @column @direction, name @direction
LIMIT :limit
"""


def _list(column: str, comparison: str, direction: str, *, has_status: bool) -> str:
    statement = _LIST.replace("@column", column).replace("@comparison", comparison)
    if has_status:  # said plainly, an index answers it
        statement = statement.replace("(:status IS NULL OR status = :status)", "status = :status")
    return statement.replace("@direction", direction)


#: by (column to sort by, whether descending, whether a status is asked for)
LIST = {
    (column, is_descending, has_status): _list(
        column, *(("<", "DESC") if is_descending else (">", "ASC")), has_status=has_status
    )
    for column in ("name", "created", "modified", "status")
    for is_descending in (False, True)
    for has_status in (False, True)
}
