"""`kubectl nemoeval rows`: the items of a run with the worst scores."""

from __future__ import annotations

from typing import Annotated

import typer

from nemo_eval_operator.plugin.exit_codes import ExitCode

from .options import Context, Kubeconfig, Name, Namespace, NoColor, Output, access_of

__all__ = ["rows"]


def rows(
    name: Name,
    *,
    worst: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="Number of items.")] = 5,
    output: Output = None,
    namespace: Namespace = None,
    no_color: NoColor = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Show the items of a run with errors or the worst scores.

    Each is shown with input, output, reference and score. Items are ordered by the first score of the gate,
    in its direction, else by the first score that has items. Items with the best score of the run are not
    shown.
    """
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.output import Format, console_for, format_of, rows_text
    from nemo_eval_operator.plugin.run_results import worst_rows

    chosen = format_of(output)
    by, found, note = with_cluster(
        access_of(namespace, context, kubeconfig), lambda cluster: worst_rows(cluster, name, limit=worst)
    )
    if note:
        typer.echo(note, err=True)
    if chosen.is_table:
        from nemo_eval_operator.plugin.result_screen import show_items

        is_wide = chosen is Format.WIDE
        show_items(by, found, console_for(no_color=no_color, wide=is_wide), whole=is_wide)
        return ExitCode.PASSED
    if found.note:
        typer.echo(found.note, err=True)
    typer.echo(rows_text(chosen, [one.model_dump(by_alias=True) for one in found.items]), nl=False)
    return ExitCode.PASSED
