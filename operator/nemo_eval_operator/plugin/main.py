"""Command line of `kubectl nemoeval`.

Each command imports what it needs itself: help and completion load neither pydantic nor an HTTP client.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import typer
import typer.main
from typing_extensions import override

from . import commands
from .commands.examples import EXAMPLES
from .exit_codes import CommandFailed, ExitCode
from .help_text import PluginCommand, PluginGroup

__all__ = ["app", "described_words", "main", "run_command_line"]

PROGRAM: Final = "kubectl nemoeval"

HELP_OPTIONS: Final = ["-h", "--help"]

app = typer.Typer(
    name=PROGRAM,
    cls=PluginGroup,
    context_settings={"help_option_names": HELP_OPTIONS},
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(requested: bool) -> None:
    if requested:
        from nemo_eval_operator import __version__  # noqa: PLC0415 - it is looked up when it is imported

        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def plugin(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Start, follow, judge and explain runs of nemo-eval-operator, with your own rights in the cluster.

    Exit codes: 0 passed, 1 failed, 2 inconclusive, 3 time-out, 4 not found or forbidden, 5 Kubernetes API
    unavailable, 64 wrong command line. `kubectl nemoeval COMMAND --help` has options and examples.
    """


COMMANDS: Final[Mapping[str, Mapping[str, Callable[..., int]]]] = {
    "Start and steer": {
        "run": commands.run,
        "wait": commands.wait,
        "cancel": commands.cancel,
        "suspend": commands.suspend,
        "resume": commands.resume,
        "rerun": commands.rerun,
    },
    "Look": {"get": commands.get, "why": commands.why, "logs": commands.logs},
    "Judge and report": {
        "results": commands.results,
        "rows": commands.rows,
        "compare": commands.compare,
        "report": commands.report,
        "export": commands.export,
    },
    "Administer": {"doctor": commands.doctor, "import": commands.import_file},
}
"""Commands by name, in the groups of the help."""

for group, members in COMMANDS.items():
    for name, command in members.items():
        examples = "\n".join(EXAMPLES[name])
        app.command(name=name, cls=PluginCommand, rich_help_panel=group, epilog=examples)(command)


def described_words(command: str | None) -> list[str]:
    """Return the commands, or the options of one command, as WORD, a tab and what it does."""
    group: Any = typer.main.get_command(app)
    if command is None:
        return [f"{name}\t{one.get_short_help_str(80)}" for name, one in group.commands.items()]
    found = group.commands.get(command)
    return [
        f"{name}\t{parameter.help or ''}"
        for parameter in (found.params if found else ())
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("-")
    ]


def _help_of(arguments: Sequence[str]) -> str | None:
    """Return the help of a command where it is requested.

    Typer would load pydantic before, to validate options, even that of the help.
    """
    name, *words = arguments or [""]
    if "--" in words:
        words = words[: words.index("--")]
    if not set(HELP_OPTIONS) & set(words):
        return None
    group: Any = typer.main.get_command(app)
    if (command := group.commands.get(name)) is None:
        return None
    parent = typer.Context(group, info_name=PROGRAM, help_option_names=HELP_OPTIONS)
    return str(command.get_help(typer.Context(command, info_name=name, parent=parent)))


def run_command_line(arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code."""
    if (text := _help_of(arguments)) is not None:
        typer.echo(text)
        return ExitCode.PASSED
    try:
        return int(app(list(arguments) or ["--help"], prog_name=PROGRAM, standalone_mode=False) or 0)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except CommandFailed as failed:
        typer.echo(f"error: {failed}", err=True)
        return failed.code
    except Exception as error:
        # Typer does not export its class of usage errors.
        if getattr(error, "format_message", None) is None:
            raise
        typer.echo(_usage_problem(error), err=True)
        return ExitCode.USAGE


def _usage_problem(error: Any) -> str:
    """Return what is wrong with the command line, and where its help is, as kubectl says it."""
    from pydantic import ValidationError  # noqa: PLC0415 - slow to load, and help needs none

    from nemo_eval_operator.validation import first_problem  # noqa: PLC0415

    if isinstance(cause := error.__cause__, ValidationError):
        error.message = first_problem(cause, None)
    message = str(error.format_message()).rstrip(".")
    path = error.ctx.command_path if getattr(error, "ctx", None) else PROGRAM
    return f"error: {message[:1].lower()}{message[1:]}\nSee '{path} --help' for usage."


class _OneLine(logging.Formatter):
    """What the libraries log, as the commands write their own warnings."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        from .screen import clean  # noqa: PLC0415 - slow to load, and help needs none

        return f"warning: {clean(' '.join(record.getMessage().split()))}"


def main() -> None:
    """Entry point of kubectl-nemoeval."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    sys.exit(run_command_line(sys.argv[1:]))
