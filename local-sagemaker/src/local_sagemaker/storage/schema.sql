-- The tables of store.py, in steps; see migrations.py. Every database has had the first ones: never change a step
-- that was released (a test knows them), add another with the next number at the end. What a step may need besides
-- new tables: ALTER TABLE ... ADD COLUMN ... DEFAULT ..., UPDATE. No PRAGMA, no BEGIN: a step is one transaction.

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

-- migration 2
CREATE TABLE metric_point (
    number     INTEGER PRIMARY KEY,
    namespace  TEXT NOT NULL,
    metric     TEXT NOT NULL,
    dimensions TEXT NOT NULL,       -- JSON object, keys sorted
    at         REAL NOT NULL,       -- seconds since 1970, UTC
    unit       TEXT NOT NULL,
    low        REAL NOT NULL,
    high       REAL NOT NULL,
    content    TEXT NOT NULL        -- JSON: [[value, times], ...], or {"count", "total"} of a statistic set
);
CREATE INDEX metric_point_by_series ON metric_point (namespace, metric, dimensions, at);

-- migration 3
CREATE INDEX resource_by_status_created  ON resource (kind, status, created, name);
CREATE INDEX resource_by_status_modified ON resource (kind, status, modified, name);

-- migration 4
-- every definition of a pipeline is a version of it; those that were there become the first ones
INSERT INTO resource (kind, name, parent, arn, status, created, modified, document, state)
SELECT 'pipeline-version', name || '/00000001', name, arn || '/version/1', '', created, created,
       json_object('PipelineArn', arn, 'PipelineVersionId', 1,
                   'PipelineDefinition', json_extract(document, '$.PipelineDefinition'),
                   'CreationTime', json(json_extract(document, '$.CreationTime'))), '{}'
FROM resource WHERE kind = 'pipeline';
UPDATE resource SET state = json_set(state, '$.version', 1) WHERE kind = 'pipeline';

-- migration 5
CREATE INDEX resource_by_parent_created ON resource (kind, parent, created, name);
CREATE INDEX resource_by_parent_name    ON resource (kind, parent, name);
