"""Every SQL statement of the store, by name. `schema.sql` beside it makes the tables."""

from __future__ import annotations

from itertools import product

COLUMNS = ("kind", "name", "parent", "arn", "status", "created", "modified", "document", "state")
#: members of store.Query that are parameters of LIST
FILTERS = (
    *("name_contains", "name_prefix", "status", "parent"),
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

_LIST = """
SELECT * FROM resource
WHERE kind = :kind
  AND (:name_contains IS NULL OR instr(lower(name), lower(:name_contains)) > 0)
  AND (:name_prefix IS NULL OR substr(name, 1, length(:name_prefix)) = :name_prefix)
  AND (:status IS NULL OR status = :status)
  AND (:parent IS NULL OR parent = :parent)
  AND (:created_after IS NULL OR created > :created_after)
  AND (:created_before IS NULL OR created < :created_before)
  AND (:modified_after IS NULL OR modified > :modified_after)
  AND (:modified_before IS NULL OR modified < :modified_before)
  AND (:after IS NULL OR (@column, name) @comparison (:value, :after))
ORDER BY @order
LIMIT :limit
"""


def _list(column: str, *, is_descending: bool, has_status: bool, has_parent: bool) -> str:
    comparison, direction = ("<", "DESC") if is_descending else (">", "ASC")
    order = [column, "name"]
    statement = _LIST.replace("@column", column).replace("@comparison", comparison)
    if has_status:  # said plainly, an index answers it
        statement = statement.replace("(:status IS NULL OR status = :status)", "status = :status")
        order = ["status", "name"] if column == "name" else order
    if has_parent:
        statement = statement.replace("(:parent IS NULL OR parent = :parent)", "parent = :parent")
        order = ["parent", "name"] if column == "name" else order
    return statement.replace("@order", ", ".join(f"{name} {direction}" for name in order))


#: by (column to sort by, whether descending, whether a status and whether a parent is asked for)
LIST = {
    (column, *flags): _list(column, is_descending=flags[0], has_status=flags[1], has_parent=flags[2])
    for column in ("name", "created", "modified", "status")
    for flags in product((False, True), repeat=3)
}
