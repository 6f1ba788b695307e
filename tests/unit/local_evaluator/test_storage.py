"""The database file over time: older ones are taken along, later ones are left alone."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nemo_local_evaluator.storage import Database
from nemo_local_evaluator.wire.errors import DatabaseInUse, DatabaseTooNew
from tests.unit.local_evaluator.harness import FakeModel, evaluator

MOMENT = "2026-01-01T00:00:00.000000"
COMMON = {"namespace": "team", "created_at": MOMENT, "updated_at": MOMENT}
CONFIG = COMMON | {"id": "eval-config-1", "name": "c", "type": "custom", "custom_fields": {"flag": True}}
TARGET = COMMON | {
    "id": "eval-target-1",
    "name": "t",
    "type": "rows",
    "rows": [{"x": 1}],
    "custom_fields": {},
}
JOB = COMMON | {
    "id": "eval-1",
    "description": None,
    "project": None,
    "ownership": None,
    "custom_fields": {"uid": 7},
    "config": CONFIG,
    "target": TARGET,
}
RESULT = COMMON | {
    "id": "evaluation_result-1",
    "job": "eval-1",
    "tasks": {},
    "groups": {},
    "custom_fields": {},
}

FIRST_SCHEMA = """
CREATE TABLE entities (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
    project TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, document TEXT NOT NULL,
    UNIQUE (kind, namespace, name)
);
CREATE INDEX entities_created_at ON entities (kind, created_at);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, namespace TEXT NOT NULL, status TEXT NOT NULL, status_details TEXT NOT NULL,
    config TEXT NOT NULL, target TEXT NOT NULL, config_id TEXT NOT NULL, target_id TEXT NOT NULL,
    project TEXT, result TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, document TEXT NOT NULL
);
CREATE TABLE results (job TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE secrets (
    owner TEXT NOT NULL, place TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (owner, place)
);
"""


def write_as_the_first_servers_did(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(FIRST_SCHEMA)
        for kind, entity in (("config", CONFIG), ("target", TARGET)):
            columns = [entity[key] for key in ("namespace", "name", "type")]
            connection.execute(
                "INSERT INTO entities VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?)",
                (entity["id"], kind, *columns, MOMENT, MOMENT, json.dumps(entity)),
            )
        connection.execute(
            "INSERT INTO jobs VALUES ('eval-1', 'team', 'completed', '{}', 'team/c', 'team/t',"
            " 'eval-config-1', 'eval-target-1', NULL, 'evaluation_result-1', ?, ?, ?)",
            (MOMENT, MOMENT, json.dumps(JOB)),
        )
        connection.execute("INSERT INTO results VALUES ('eval-1', ?)", (json.dumps(RESULT),))


async def test_a_file_of_the_first_servers_is_taken_along(tmp_path: Path, model: FakeModel) -> None:
    write_as_the_first_servers_did(tmp_path / "evaluator.db")
    for _ in range(2):
        async with evaluator(tmp_path, model) as server:
            assert await server.get("configs/team/c") == CONFIG
            job = await server.get("jobs/eval-1")
            assert (job["status"], job["target"], job["result"]) == ("completed", TARGET, RESULT["id"])
            assert await server.get("jobs/eval-1/results") == RESULT
            assert (await server.get("results"))["data"] == [RESULT]
            for query in ("configs?filter[custom_fields][flag]=true", "jobs?filter[custom_fields][uid]=7"):
                assert len((await server.get(query))["data"]) == 1
            await server.refused(409, "POST", "configs", {"type": "custom", "name": "c", "namespace": "team"})


def test_a_file_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "evaluator.db"
    Database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(DatabaseTooNew, match="written by a later version"):
        Database(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)


def test_a_file_has_one_server_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "evaluator.db"
    Database(path).close()
    with closing(Database(path)), pytest.raises(DatabaseInUse):
        Database(path)
    Database(path).close()
