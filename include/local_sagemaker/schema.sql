-- The tables of store.py. A block is run once, in order; PRAGMA user_version counts the blocks that have run.
-- Never change a block that was released: add another.

-- migration 1
CREATE TABLE resource (
    number   INTEGER PRIMARY KEY,  -- order of creation
    kind     TEXT NOT NULL,        -- training-job, model, endpoint, ...
    name     TEXT NOT NULL,
    parent   TEXT NOT NULL,        -- the group of a model package, else empty
    arn      TEXT NOT NULL,
    status   TEXT NOT NULL,
    created  REAL NOT NULL,        -- seconds since 1970, UTC
    modified REAL NOT NULL,
    document TEXT NOT NULL,        -- JSON: what the Describe operation answers
    state    TEXT NOT NULL,        -- JSON: what the service needs besides
    UNIQUE (kind, name),
    UNIQUE (arn)
);
CREATE INDEX resource_by_created  ON resource (kind, created, name);
CREATE INDEX resource_by_modified ON resource (kind, modified, name);
CREATE INDEX resource_by_status   ON resource (kind, status, name);
CREATE INDEX resource_by_parent   ON resource (kind, parent, number);
CREATE TABLE tag (
    arn   TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (arn, key)
) WITHOUT ROWID;
