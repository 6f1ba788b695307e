"""The command line of `kubectl nemoeval` itself: help and version."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from nemo_eval_operator.plugin.main import run_command_line


@pytest.mark.parametrize("words", [(), ("-h",), ("--help",)])
def test_help_is_printed_on_standard_output(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(words) == 0

    printed = capsys.readouterr()
    assert printed.out.startswith("Usage: kubectl nemoeval ")
    assert printed.err == ""


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_a_command_has_its_own_help(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(("get", option)) == 0

    assert capsys.readouterr().out.startswith("Usage: kubectl nemoeval get [OPTIONS] [NAME]\n")


def test_the_version_is_that_of_the_operators_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(("--version",)) == 0

    assert capsys.readouterr().out == f"kubectl nemoeval {version('nemo-eval-operator')}\n"
