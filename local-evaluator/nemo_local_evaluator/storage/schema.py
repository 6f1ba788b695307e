"""The tables, as the steps that lead to them: a file remembers in `user_version` how many it has taken.

Rows are narrow and documents lie apart, so that a page of 10 among 100,000 jobs is found in an index and
reads 10 documents. A step that was released is never changed; what changes the tables is a step more.
"""

from __future__ import annotations

import sqlite3
from typing import Final

__all__ = ["SCHEMA_VERSION", "migrate"]

# Of the first servers, which did not number their files: hence IF NOT EXISTS.
_FIRST: Final = """
CREATE TABLE IF NOT EXISTS entities (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
    project TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, document TEXT NOT NULL,
    UNIQUE (kind, namespace, name)
);
CREATE INDEX IF NOT EXISTS entities_created_at ON entities (kind, created_at);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, namespace TEXT NOT NULL, status TEXT NOT NULL, status_details TEXT NOT NULL,
    config TEXT NOT NULL, target TEXT NOT NULL, config_id TEXT NOT NULL, target_id TEXT NOT NULL,
    project TEXT, result TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_created_at ON jobs (created_at);
CREATE INDEX IF NOT EXISTS jobs_status ON jobs (status, created_at);
CREATE INDEX IF NOT EXISTS jobs_namespace ON jobs (namespace, created_at);
CREATE INDEX IF NOT EXISTS jobs_config ON jobs (config, created_at);
CREATE INDEX IF NOT EXISTS jobs_target ON jobs (target, created_at);
CREATE TABLE IF NOT EXISTS results (job TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS secrets (
    owner TEXT NOT NULL, place TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (owner, place)
);
"""

_DOCUMENTS_APART: Final = """
CREATE TABLE documents (owner TEXT PRIMARY KEY, document TEXT NOT NULL);
INSERT INTO documents SELECT id, document FROM entities;
INSERT INTO documents SELECT id, document FROM jobs;
INSERT INTO documents SELECT document ->> '$.id', document FROM results;
ALTER TABLE entities DROP COLUMN document;
ALTER TABLE jobs DROP COLUMN document;
CREATE INDEX jobs_updated_at ON jobs (updated_at);
CREATE INDEX jobs_config_id ON jobs (config_id);
CREATE INDEX jobs_target_id ON jobs (target_id);

ALTER TABLE results RENAME TO results_with_documents;
CREATE TABLE results (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, namespace TEXT NOT NULL, project TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL
);
INSERT INTO results SELECT document ->> '$.id', job, document ->> '$.namespace', NULL,
    document ->> '$.created_at', document ->> '$.updated_at' FROM results_with_documents;
DROP TABLE results_with_documents;
CREATE INDEX results_job ON results (job);
CREATE INDEX results_created_at ON results (created_at);

CREATE TABLE custom_fields (
    kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, owner TEXT NOT NULL,
    PRIMARY KEY (kind, name, value, owner)
) WITHOUT ROWID;
CREATE INDEX custom_fields_owner ON custom_fields (owner);
INSERT OR IGNORE INTO custom_fields
    SELECT owners.kind, field.key,
        CASE field.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
            ELSE CAST(field.value AS TEXT) END,
        owners.id
    FROM (SELECT id, kind FROM entities UNION ALL SELECT id, 'job' FROM jobs) AS owners
    JOIN documents ON documents.owner = owners.id
    JOIN json_each(documents.document, '$.custom_fields') AS field;
"""

_STEPS: Final = (_FIRST, _DOCUMENTS_APART)

SCHEMA_VERSION: Final = len(_STEPS)


def migrate(connection: sqlite3.Connection) -> int:
    """Takes the steps that are missing, all or none; the version that the file had.

    A file of a later version is left as it is.
    """
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found < SCHEMA_VERSION:
        steps = "".join(_STEPS[found:])
        connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    return found
