"""Command line of `kubectl nemoeval`.

Each command imports what it needs itself: help and completion load neither pydantic nor an HTTP client.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.main

from .exit_codes import CommandFailed, ExitCode

if TYPE_CHECKING:
    from .access import Access

__all__ = ["app", "described_words", "main", "run_command_line"]

app = typer.Typer(
    name="kubectl nemoeval",
    help="Follow, judge and explain runs of nemo-eval-operator, with your own rights in the cluster.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace", "-n", help="Namespace of the runs.", show_default="that of the kubeconfig's context"
    ),
]
Context = Annotated[
    str | None, typer.Option(help="Context of the kubeconfig.", show_default="the current context")
]
Kubeconfig = Annotated[
    Path | None, typer.Option(help="Kubeconfig file.", show_default="$KUBECONFIG, else ~/.kube/config")
]

NoColor = Annotated[bool, typer.Option("--no-color", help="No colours, as with NO_COLOR.")]


@app.callback()
def plugin() -> None:
    """Follow, judge and explain runs of nemo-eval-operator, with your own rights in the cluster.

    Exit codes: 0 passed, 1 failed, 2 inconclusive, 3 time-out, 4 not found or forbidden, 5 Kubernetes API
    unavailable, 64 wrong command line.
    """


@app.command()
def wait(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Runs (NemoEvalJobs) to wait for.")],
    *,
    timeout: Annotated[
        str | None, typer.Option(help="Longest wait, such as 90s, 30m or 2h.", show_default="no limit")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only how each run ended.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Wait until runs have ended, whether they succeed or fail.

    A run that is Stalled counts as ended. Exit code: 0 passed, 1 failed or gate failed, 2 gate inconclusive,
    3 time-out, 4 not found or forbidden. Of several runs, the first of 4, 1, 3 and 2 that one of them has.
    """
    from .access import with_cluster
    from .durations import seconds_of
    from .waiting import wait_for

    limit = None if timeout is None else seconds_of(timeout)

    def report(line: str) -> None:
        if not quiet:
            typer.echo(line, err=True)

    return with_cluster(
        _access(namespace, context, kubeconfig),
        lambda cluster: wait_for(cluster, names, seconds=limit, report=report, conclude=typer.echo),
    )


@app.command()
def why(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The run (NemoEvalJob).")],
    *,
    namespace: Namespace = None,
    no_color: NoColor = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Explain where a run stands: what is in its way, and what to do.

    Shows each link from the connection to the benchmark, the queue, the remote job, the results and the gate,
    with conditions and recent events. What you may not read is marked, with the right that is missing.
    """
    from datetime import UTC, datetime

    from .access import with_cluster
    from .links import chain_of
    from .screen import style_of, window_width
    from .why import read_facts
    from .why_screen import why_lines

    facts = with_cluster(_access(namespace, context, kubeconfig), lambda cluster: read_facts(cluster, name))
    style, now = style_of(no_color=no_color), datetime.now(UTC)
    for line in why_lines(facts, chain_of(facts), now=now, style=style, width=window_width()):
        typer.echo(line)
    return ExitCode.PASSED


def _access(namespace: str | None, context: str | None, kubeconfig: Path | None) -> Access:
    from .access import Access

    return Access(namespace=namespace, context=context, kubeconfig=kubeconfig)


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


def run_command_line(arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code."""
    try:
        return int(app(list(arguments), prog_name="kubectl nemoeval", standalone_mode=False) or 0)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except CommandFailed as failed:
        typer.echo(f"error: {failed}", err=True)
        return failed.code
    except Exception as error:
        # Typer does not export its class of usage errors.
        if (show := getattr(error, "show", None)) is None:
            raise
        show()
        return ExitCode.USAGE


def main() -> None:
    """Entry point of kubectl-nemoeval."""
    sys.exit(run_command_line(sys.argv[1:]))
