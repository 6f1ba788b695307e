"""The command line `nemo-eval-operator`: its commands, and the version."""

from __future__ import annotations

import typer

from nemo_eval_operator import __version__

from .commands import GateCommand, gate, health, release, results, run

__all__ = ["app"]

app = typer.Typer(
    help="Evaluate models on benchmarks as Kubernetes objects, with NVIDIA NeMo Evaluator.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run)
app.command()(results)
app.command(name="release-finalizers")(release)
app.command(cls=GateCommand)(gate)
app.command()(health)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
