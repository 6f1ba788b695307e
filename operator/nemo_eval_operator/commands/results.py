"""`nemo-eval-operator results`: scores and samples of a finished job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nemo_eval_operator.kube import KubeConfigMissing

__all__ = ["results"]


def results(
    name: Annotated[str, typer.Argument(help="The NemoEvalJob.")],
    *,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace", "-n", help="Its namespace.", show_default="that of the kubeconfig's context"
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Samples to show of each task.", min=0)] = 5,
    wrong: Annotated[
        bool,
        typer.Option(
            "--wrong", help="Only samples with an error, or a score that is 0 or could not be computed."
        ),
    ] = False,
    table: Annotated[
        bool,
        typer.Option(
            "--csv",
            help=(
                "Print all samples as CSV instead. Texts that a spreadsheet would take for a formula begin "
                "with an apostrophe."
            ),
        ),
    ] = False,
    document: Annotated[
        bool, typer.Option("--json", help="Print the evaluator's whole document instead.")
    ] = False,
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; default: kubectl's own.")] = None,
) -> None:
    """Show a finished job's scores, and samples with input, output, reference and scores."""
    from nemo_eval_operator.results_view import NoResults, fetch, results_csv, results_lines

    try:
        job, text = fetch(kubeconfig, namespace, name)
    except (NoResults, KubeConfigMissing) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if document:
        typer.echo(text)
        return
    if table:
        typer.echo(results_csv(text, wrong=wrong), nl=False)
        return
    for line in results_lines(job, text, samples=samples, wrong=wrong):
        typer.echo(line)
