"""The files that a job leaves: who may read them, and what a reader gets while they are deleted."""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemo_local_evaluator.services import jobs
from nemo_local_evaluator.services.archives import Archive, pack
from tests.unit.local_evaluator.harness import (
    Evaluator,
    FakeModel,
    data_config,
    evaluator,
    rows_target,
    string_check,
)

CONFIG = data_config(string_check("{{item.x}}", "equals", "1"))


@pytest.fixture
def readable_by_all() -> Iterator[None]:
    """A umask of 0: files that are not made private are readable and writable by all users."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("readable_by_all")
async def test_what_a_job_leaves_is_its_owner_s_only(tmp_path: Path, model: FakeModel) -> None:
    data = tmp_path / "made" / "by the server"
    async with evaluator(data, model) as server:
        await server.run(CONFIG, rows_target({"x": "1"}))
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (data, *data.rglob("*"))}
    assert {path.name for path in found} >= {"log.txt", "qa.jsonl", "samples", "jobs"}
    assert {path: oct(mode) for path, mode in found.items() if mode & 0o077} == {}


async def test_files_of_an_earlier_version_are_closed_to_others(tmp_path: Path, model: FakeModel) -> None:
    (tmp_path / "jobs" / "eval-old").mkdir(parents=True)
    (tmp_path / "jobs").chmod(0o755)
    async with evaluator(tmp_path, model):
        assert stat.S_IMODE((tmp_path / "jobs").stat().st_mode) == 0o700


@pytest.mark.parametrize("path", ["logs", "download-results"])
async def test_what_is_read_while_its_job_is_deleted_is_not_found(
    server: Evaluator, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    job = await server.run(CONFIG, rows_target({"x": "1"}))
    loop = asyncio.get_running_loop()

    def pack_after_deletion(members: dict[str, Path | str]) -> Archive:
        deleted = server.http.delete(f"/v1/evaluation/jobs/{job['id']}")
        assert asyncio.run_coroutine_threadsafe(deleted, loop).result(10).status_code == 200
        return pack(members)

    monkeypatch.setattr(jobs, "pack", pack_after_deletion)
    assert "was deleted" in await server.refused(404, "GET", f"jobs/{job['id']}/{path}")
