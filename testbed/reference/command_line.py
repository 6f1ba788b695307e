"""The page of the command line, from the Typer application."""

from typing import Any, Final

import typer
import typer.main

from nemo_eval_operator.cli import app
from nemo_eval_operator.plugin.main import app as plugin
from testbed.reference.markdown import GENERATED, cell, table

__all__ = ["command_line_page"]

_HEAD: Final = """\
# Command line

`nemo-eval-operator` is installed from a checkout of this repository (`pip install .`). It is also the entry
point of the operator's image.

"""

_PLUGIN: Final = """\
# kubectl plugin

`kubectl nemoeval` comes with the same package. [How to use it](../how-to/plugin.md) has examples. Exit codes
that all commands share: 0 success, 1 failure, 4 not found or forbidden, 5 Kubernetes API unavailable,
64 wrong command line, 130 interrupted.

"""


def command_line_page() -> str:
    """Return the page."""
    return "\n".join(
        [GENERATED, _HEAD + _sections(app, ""), _PLUGIN + _sections(plugin, "kubectl nemoeval ")]
    )


def _sections(application: typer.Typer, prefix: str) -> str:
    group: Any = typer.main.get_command(application)
    return "\n".join(_section(f"{prefix}{name}", command) for name, command in group.commands.items())


def _section(name: str, command: Any) -> str:
    rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
    listed = table(("argument or option", "default", "meaning"), rows) if rows else ""
    # Without a prompt: the tests run the commands behind one, and these name runs that do not exist.
    examples = f"\n```sh\n{command.epilog}\n```\n" if command.epilog else ""
    return f"## {name}\n\n{_paragraphs(command.help)}\n\n{listed}{examples}"


def _paragraphs(text: str) -> str:
    return "\n\n".join(cell(paragraph) for paragraph in text.split("\n\n"))


def _row(parameter: Any) -> tuple[str, str, str]:
    names = [*parameter.opts, *parameter.secondary_opts]
    if parameter.param_type_name == "argument":
        names = [f"{parameter.metavar or parameter.name}{'' if parameter.nargs == 1 else '...'}"]
    shown = parameter.show_default
    default = parameter.default if shown is True or shown is None else shown
    absent = default is None or default in ([], (), False, "")
    named = ", ".join(f"`{name}`" for name in names) + (" (required)" if parameter.required else "")
    environment = f" Variable: `{parameter.envvar}`." if parameter.envvar else ""
    return named, "" if absent else cell(str(default)), f"{cell(parameter.help or '')}{environment}"
