"""`kubectl nemoeval compare`: two runs, score by score."""

from __future__ import annotations

from typing import Annotated

import typer

from nemo_eval_operator.plugin.exit_codes import ExitCode

from .options import Context, Kubeconfig, Namespace, NoColor, Output, access_of

__all__ = ["compare"]


def compare(
    baseline: Annotated[str, typer.Argument(metavar="BASELINE", help="The run to compare with.")],
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="The run that is compared.")],
    *,
    flips: Annotated[
        int,
        typer.Option(
            min=0,
            max=20,
            metavar="N",
            help="Items to show that became worse, and as many that became better.",
        ),
    ] = 5,
    output: Output = None,
    namespace: Namespace = None,
    no_color: NoColor = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Compare two runs score by score and item by item.

    Shows changes with intervals, a verdict of each, and items that became worse or better. The statistics are
    those of gates. Confidence and directions are those of the candidate's gate, where it has one. The exit
    code says nothing about the verdict: use a gate for that.
    """
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.output import Format, console_for, document_text, format_of, rows_text
    from nemo_eval_operator.plugin.run_results import change_rows, compared_runs

    chosen = format_of(output)
    first, second, found = with_cluster(
        access_of(namespace, context, kubeconfig),
        lambda cluster: compared_runs(cluster, baseline, candidate, flips=flips),
    )
    for note in dict.fromkeys((*first.notes, *second.notes)):
        typer.echo(note, err=True)
    if chosen.is_table:
        from nemo_eval_operator.plugin.comparison_screen import show_comparison

        is_wide = chosen is Format.WIDE
        show_comparison((first, second), found, console_for(no_color=no_color, wide=is_wide), whole=is_wide)
        return ExitCode.PASSED
    if found.note:
        from nemo_eval_operator.plugin.comparison_screen import why_not_compared

        typer.echo(why_not_compared(found), err=True)
    if chosen is Format.CSV:
        typer.echo(rows_text(chosen, change_rows(first, second, found)), nl=False)
    else:
        typer.echo(document_text(chosen, found.model_dump(by_alias=True, mode="json")), nl=False)
    return ExitCode.PASSED
