"""Jobs and their results.

What never changes (the request with its snapshots) is one document; what changes with every sample is in
columns beside it, so that a progress report rewrites a line and not the whole job.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from sqlite3 import Row
from typing import Any, Final, Literal

from nemo_local_evaluator.wire import identity
from nemo_local_evaluator.wire.schemas import JobStatus

from . import document_rows
from .database import Database
from .listing import Listing, Table, find
from .result_store import forget_result, insert_result

__all__ = ["JobStore", "StoredJob"]

_TABLE: Final = Table(
    name="jobs",
    kind="job",
    columns=frozenset(
        {"id", "namespace", "status", "status_details", "config", "target", "project", "result"}
        | {"created_at", "updated_at"}
    ),
    aliases={
        ("target", "model"): (
            "$.target.model",
            "$.target.model.name",
            "$.target.model.api_endpoint.model_id",
        )
    },
    searched={
        "status_details": "status_details",
        "output_files_url": "json_quote(CASE status WHEN 'completed' THEN :{value} || id END)",
    },
)
_GET: Final = "SELECT jobs.*, document FROM jobs JOIN documents ON owner = id WHERE id = :id"
_WITH_STATUS: Final = """
    SELECT jobs.*, document FROM jobs JOIN documents ON owner = id
    WHERE status IN (SELECT value FROM json_each(:statuses))
    ORDER BY created_at, jobs.rowid
"""
_USER_OF: Final = {
    "config": """
        SELECT id FROM jobs WHERE config_id = :id
        AND (:finished OR status NOT IN (SELECT value FROM json_each(:terminal))) LIMIT 1
    """,
    "target": """
        SELECT id FROM jobs WHERE target_id = :id
        AND (:finished OR status NOT IN (SELECT value FROM json_each(:terminal))) LIMIT 1
    """,
}


@dataclass(frozen=True, kw_only=True)
class StoredJob:
    status: JobStatus
    status_details: dict[str, Any]
    result: str | None
    updated_at: str
    document: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def namespace(self) -> str:
        return str(self.document["namespace"])


class JobStore:
    def __init__(self, database: Database, *, files_url: str = "") -> None:
        """`files_url` comes before a job's id in its output_files_url."""
        self._database = database
        self._table = replace(_TABLE, files_url=files_url)

    def add(self, job: StoredJob, secrets: Mapping[str, str]) -> None:
        config, target = job.document["config"], job.document["target"]
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO jobs (id, namespace, status, status_details, config, target, config_id,"
                " target_id, project, result, created_at, updated_at) VALUES (:id, :namespace, :status,"
                " :status_details, :config, :target, :config_id, :target_id, :project, :result,"
                " :created_at, :updated_at)",
                {
                    "id": job.id,
                    "namespace": job.namespace,
                    "status": job.status,
                    "status_details": json.dumps(job.status_details),
                    "config": f"{config['namespace']}/{config['name']}",
                    "target": f"{target['namespace']}/{target['name']}",
                    "config_id": config["id"],
                    "target_id": target["id"],
                    "project": job.document.get("project"),
                    "result": job.result,
                    "created_at": job.document["created_at"],
                    "updated_at": job.updated_at,
                },
            )
            document_rows.keep(self._database, "job", job.document)
            self._database.keep_secrets(job.id, secrets)

    def get(self, job_id: str) -> StoredJob | None:
        row = self._database.execute(_GET, {"id": job_id}).fetchone()
        return None if row is None else _stored(row)

    def secrets(self, job_id: str) -> dict[str, str]:
        return self._database.secrets(job_id)

    def list(self, listing: Listing) -> tuple[builtins.list[StoredJob], int]:
        found = find(self._database, self._table, listing)
        return [_stored(row) for row in found.rows], found.total

    def with_status(self, *statuses: JobStatus) -> builtins.list[StoredJob]:
        """Return the jobs with one of these statuses, oldest first."""
        rows = self._database.execute(_WITH_STATUS, {"statuses": json.dumps(statuses)})
        return [_stored(row) for row in rows]

    def any_with(self, kind: Literal["config", "target"], entity_id: str, *, finished: bool) -> str | None:
        """Return the id of a job that uses the entity, or None. Finished jobs count only if `finished`."""
        row = self._database.execute(
            _USER_OF[kind],
            {
                "id": entity_id,
                "finished": finished,
                "terminal": json.dumps([status for status in JobStatus if status.terminal]),
            },
        ).fetchone()
        return None if row is None else str(row["id"])

    def move(self, job_id: str, status: JobStatus, **details: object) -> None:
        """Set the status, and `details` in status_details. The secrets of a finished job are deleted."""
        with self._database.transaction():
            self._move(job_id, status, details)

    def report(self, job_id: str, **details: object) -> None:
        """Set details without a change of status or of updated_at, the time of the last change of status."""
        self._database.execute(
            "UPDATE jobs SET status_details = json_patch(status_details, :details) WHERE id = :id",
            {"id": job_id, "details": json.dumps(details)},
        )

    def begin_result(self, job_id: str, result: dict[str, Any]) -> None:
        """Add a result while its job runs; `complete` fills it."""
        with self._database.transaction():
            self._add_result(job_id, result)

    def complete(self, job_id: str, result: Mapping[str, Any], **details: object) -> None:
        with self._database.transaction():
            document = dict(result)
            if begun := self.result(job_id):
                document |= {key: begun[key] for key in ("id", "created_at")}
                forget_result(self._database, document["id"])
            self._add_result(job_id, document)
            self._move(job_id, JobStatus.COMPLETED, details)

    def _add_result(self, job_id: str, document: dict[str, Any]) -> None:
        insert_result(self._database, document)
        self._database.execute(
            "UPDATE jobs SET result = :result WHERE id = :id", {"id": job_id, "result": document["id"]}
        )

    def _move(self, job_id: str, status: JobStatus, details: Mapping[str, object]) -> None:
        self._database.execute(
            "UPDATE jobs SET status = :status, updated_at = :now,"
            " status_details = json_patch(status_details, :details) WHERE id = :id",
            {"id": job_id, "status": status, "now": identity.now(), "details": json.dumps(details)},
        )
        if status.terminal:
            self._database.forget_secrets(job_id)

    def result(self, job_id: str) -> dict[str, Any] | None:
        """Return the job's own result; callers may have added others."""
        row = self._database.execute("SELECT result FROM jobs WHERE id = :id", {"id": job_id}).fetchone()
        return document_rows.read(self._database, row["result"]) if row and row["result"] else None

    def delete(self, job_id: str) -> None:
        """Delete the job with every result that names it."""
        with self._database.transaction():
            named = self._database.execute("SELECT id FROM results WHERE job = :job", {"job": job_id})
            for row in named.fetchall():
                forget_result(self._database, row["id"])
            self._database.execute("DELETE FROM jobs WHERE id = :id", {"id": job_id})
            document_rows.forget(self._database, job_id)
            self._database.forget_secrets(job_id)


def _stored(row: Row) -> StoredJob:
    return StoredJob(
        status=JobStatus(row["status"]),
        status_details=json.loads(row["status_details"]),
        result=row["result"],
        updated_at=row["updated_at"],
        document=document_rows.parse(row),
    )
