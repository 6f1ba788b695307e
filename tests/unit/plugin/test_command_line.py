"""The command line of `kubectl nemoeval` itself: help and version."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import version
from typing import Any

import pytest
import typer.main

from nemo_eval_operator.plugin.commands.examples import EXAMPLES
from nemo_eval_operator.plugin.main import COMMANDS, app, run_command_line


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

    assert capsys.readouterr().out.startswith("Usage: kubectl nemoeval get [OPTIONS] [NAME...]\n")


def test_the_version_is_that_of_the_operators_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(("--version",)) == 0

    assert capsys.readouterr().out == f"kubectl nemoeval {version('nemo-eval-operator')}\n"


def help_of(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run_command_line((*words, "--help")) == 0
    return capsys.readouterr().out


def test_commands_are_listed_in_groups_with_whole_summaries(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = help_of(capsys=capsys)
    groups = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert groups == ["Options:", *(f"{group}:" for group in COMMANDS)]
    for members in COMMANDS.values():
        for name in members:
            (line,) = [line for line in text.splitlines() if line.startswith(f"  {name} ")]
            assert line.endswith(".")
            assert not line.endswith("...")


NAMES = [name for members in COMMANDS.values() for name in members]


@pytest.mark.parametrize("name", NAMES)
def test_every_help_has_examples_that_are_not_wrapped_and_no_types_of_python(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = help_of(name, capsys=capsys)
    examples = text.partition("\nExamples:\n")[2].splitlines()
    assert examples == [f"  {one}" for one in EXAMPLES[name]]
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"<\w+|\[\[|\{", text)


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_examples_are_command_lines_that_the_plugin_accepts(line: str) -> None:
    words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
    assert words[:2] == ["kubectl", "nemoeval"]
    group: Any = typer.main.get_command(app)
    command = group.commands[words[2]]
    command.make_context(words[2], words[3:])


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("get", "[OPTIONS] [NAME...]"),
        ("wait", "[OPTIONS] NAME..."),
        ("why", "[OPTIONS] NAME"),
        ("compare", "[OPTIONS] BASELINE CANDIDATE"),
        ("export", "[OPTIONS] mlflow NAME..."),
        ("run", "[OPTIONS]"),
    ],
)
def test_arguments_are_written_as_kubectl_does(
    name: str, usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert help_of(name, capsys=capsys).splitlines()[0] == f"Usage: kubectl nemoeval {name} {usage}"


@pytest.mark.parametrize(
    ("words", "message", "command"),
    [
        (("rows", "qa", "--worst", "20000"), "invalid value for '--worst': must be at most 10000", " rows"),
        (("compare", "a", "b", "--flips", "x"), "invalid value for '--flips': must be a whole", " compare"),
        (("compare", "a"), "missing argument 'CANDIDATE'", " compare"),
        (("get", "--foo"), "no such option: --foo", " get"),
        (("nope",), "no such command 'nope'", ""),
    ],
)
def test_a_wrong_command_line_is_refused_as_by_kubectl(
    words: tuple[str, ...], message: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(words) == 64

    printed = capsys.readouterr()
    assert printed.out == ""
    problem, usage = printed.err.splitlines()
    assert problem.startswith(f"error: {message}")
    assert usage == f"See 'kubectl nemoeval{command} --help' for usage."
