"""The command line's own part: its help, its refusals, one server for one database."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nemo_local_evaluator.cli import app
from nemo_local_evaluator.wire.errors import DatabaseInUse
from tests.unit.local_evaluator.harness import FakeModel, evaluator


def test_help_names_every_option() -> None:
    help_text = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).output
    options = ("--data", "--host", "--port", "--allow-path", "--workers", "--models", "--log-level")
    for option in (
        *options,
        "--harness-python",
        "--harness-tasks",
        "--harness-tokenizers",
        "--quirk",
        "--allowed-host",
        "--token-file",
    ):
        assert option in help_text


def test_a_registry_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    registry = tmp_path / "models.json"
    registry.write_text('{"meta/llama": {"url": "http://x", "apikey": "s3cr3t"}}')
    arguments = ["serve", "--data", str(tmp_path / "data"), "--models", str(registry)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "meta/llama.apikey: unknown field" in " ".join(result.output.split())
    assert "s3cr3t" not in result.output


def test_quirks_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    arguments = ["serve", "--data", str(tmp_path), "--quirk", "cancel-404", "--quirk", "cancel-501"]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "cancel-404 and cancel-501 contradict each other" in result.output


async def test_a_second_server_on_the_same_data_does_not_start(tmp_path: Path, model: FakeModel) -> None:
    async with evaluator(tmp_path, model):
        with pytest.raises(DatabaseInUse, match="in use by another server"):
            async with evaluator(tmp_path, model):
                pass


async def test_the_database_is_its_owner_s_only(tmp_path: Path, model: FakeModel) -> None:
    async with evaluator(tmp_path, model) as server:
        modes = {path.stat().st_mode & 0o077 for path in server.data.iterdir()}
    assert modes == {0}
