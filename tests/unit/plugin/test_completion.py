"""Completion by kubectl's protocol, and what help and completion load."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from nemo_eval_operator.plugin.completion import WITHOUT_NAMES, candidates
from nemo_eval_operator.plugin.main import app

KUBECTL = """#!/bin/sh
echo "$@" >> {calls}
case "$2" in
  nemoevaljobs*) echo nemoevaljob.evaluator.nemo.dev/qa-llama; echo nemoevaljob.evaluator.nemo.dev/qa-qwen ;;
  namespaces) echo namespace/team-a ;;
esac
"""


HELP_OF_COMMANDS = [f"main {name} --help" for name in typer.main.get_command(app).commands]  # type: ignore[attr-defined]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command lines of kubectl, which is a script here."""
    kubectl, calls = tmp_path / "kubectl", tmp_path / "calls"
    kubectl.write_text(KUBECTL.format(calls=calls))
    kubectl.chmod(stat.S_IRWXU)
    calls.touch()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return calls


def test_names_of_runs_are_completed_by_one_request_where_the_options_say(calls: Path) -> None:
    assert candidates(["wait", "-n", "team-a", "--context=prod", "qa-l"]) == ["qa-llama", ":4"]
    (call,) = calls.read_text().splitlines()
    assert call.split() == [
        *(
            "get",
            "nemoevaljobs.evaluator.nemo.dev",
            "--output=name",
            "--chunk-size=0",
            "--request-timeout=3s",
        ),
        *("-n", "team-a", "--context=prod"),
    ]


def test_a_run_that_is_named_already_is_not_offered_again(calls: Path) -> None:
    assert candidates(["wait", "qa-llama", ""]) == ["qa-qwen", ":4"]


def test_values_of_options_are_completed(calls: Path) -> None:
    assert candidates(["wait", "-n", "te"]) == ["team-a", ":4"]
    assert candidates(["wait", "--kubeconfig", ""]) == [":0"]
    assert candidates(["wait", "--timeout", ""]) == [":4"]
    assert candidates(["get", "-o", "c"]) == ["csv", ":4"]


def test_commands_and_options_have_descriptions_and_need_no_cluster(calls: Path) -> None:
    commands = candidates(["wa"])
    assert commands == ["wait\tWait until runs have ended, whether they succeed or fail.", ":4"]
    assert "--timeout\tLongest wait, such as 90s, 30m or 2h." in candidates(["wait", "--"])
    assert not calls.read_text()


def test_an_option_that_takes_a_value_is_not_followed_by_names_and_a_flag_is(calls: Path) -> None:
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        if name in WITHOUT_NAMES:
            continue
        for parameter in command.params:
            for option in (one for one in parameter.opts if one.startswith("-")):
                offered = "qa-llama" in candidates([name, option, ""])
                assert offered == parameter.is_flag, f"{name} {option}"


def test_without_kubectl_nothing_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert candidates(["wait", ""]) == [":4"]


@pytest.mark.parametrize("line", ["main --help", "completion wait --", "completion w", *HELP_OF_COMMANDS])
def test_help_and_completion_load_no_client(line: str) -> None:
    """Times are measured by bench; what would cost them is what is imported."""
    module, *words = line.split()
    script = (
        f"import sys, atexit; sys.argv[1:] = {words!r}\n"
        "atexit.register(lambda: print(*sorted(k for k, m in sys.modules.items() if m), file=sys.stderr))\n"
        f"from nemo_eval_operator.plugin.{module} import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "nemo_eval_operator" in loaded
    assert not loaded & {"httpx", "kubernetes", "kopf", "pydantic", "yaml", "rich", "aiohttp"}
