"""`nemo-eval-operator gate`: judges results without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typing_extensions import override

__all__ = ["GateCommand", "gate"]

USAGE_ERROR = 2
"""Click's exit code for a wrong command line."""


class GateCommand(TyperCommand):
    """Command that exits with 3 if the command line is wrong: Click's 2 means an inconclusive verdict."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # Typer does not export its class of usage errors; --help ends by an exception too, with 0.
            if getattr(error, "exit_code", 0) == USAGE_ERROR:
                error.exit_code = 3  # type: ignore[attr-defined]
            raise


def gate(
    policy: Annotated[
        Path, typer.Option(help="YAML: a gate with criteria, a NemoEvalJob, or a policy of `nel gate`.")
    ],
    candidate: Annotated[
        list[Path] | None,
        typer.Option(
            help="Results of the run to judge, as JSON; may be repeated. Required without --check.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        list[Path] | None, typer.Option(help="Results of the run to compare with; may be repeated.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only check the policy, and that the given results can be read."),
    ] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", help="text, json or markdown.", metavar="FORMAT")
    ] = "text",
) -> None:
    """Judge a run by thresholds and by comparison with an earlier run, without a cluster.

    Results are JSON as the evaluator's results route or `nemo-eval-operator results --json` gives them, or a
    ConfigMap as printed by `kubectl get -o json`. Exit code: 0 passed, 1 failed, 2 inconclusive, 3 usage or
    unreadable input.
    """
    from nemo_eval_operator.gate_command import ExitCode, Output, Unreadable, check_gate, run_gate

    if not (candidate or check):
        typer.echo("Missing option '--candidate': name the results to judge, or set --check", err=True)
        raise typer.Exit(ExitCode.UNREADABLE)
    if output not in (known := [one.value for one in Output]):
        typer.echo(f"--output: {output!r} is not one of {', '.join(known)}", err=True)
        raise typer.Exit(ExitCode.UNREADABLE)
    try:
        if check:
            typer.echo(check_gate(policy, [*(baseline or []), *(candidate or [])]))
            return
        printed, code = run_gate(
            policy, baselines=baseline or [], candidates=candidate or [], output=Output(output)
        )
    except Unreadable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNREADABLE) from error
    typer.echo(printed)
    raise typer.Exit(code)
