"""A cluster in memory, which the plugin's command line reaches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nemo_eval_operator.plugin import access
from nemo_eval_operator.plugin.main import run_command_line
from tests.unit.plugin.cluster_api import ClusterApi, write_kubeconfig

Run = Callable[..., tuple[int, str, str]]
"""Exit code, output and error output of a command."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> ClusterApi:
    api = ClusterApi()
    monkeypatch.setattr(access, "http_client", api.client)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    return api


@pytest.fixture
def run(api: ClusterApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    kubeconfig = str(write_kubeconfig(tmp_path))

    def command(*words: str) -> tuple[int, str, str]:
        code = run_command_line([*words, "--kubeconfig", kubeconfig])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command
