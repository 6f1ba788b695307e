"""`kubectl nemoeval results`: the scores of a run."""

from __future__ import annotations

import typer

from nemo_eval_operator.plugin.exit_codes import ExitCode

from .options import Context, Kubeconfig, Name, Namespace, NoColor, Output, access_of

__all__ = ["results"]


def results(
    name: Name,
    *,
    output: Output = None,
    namespace: Namespace = None,
    no_color: NoColor = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Show a run's scores with intervals, and its gate's verdict.

    Intervals need the right to get ConfigMaps; without it the scores of status are shown.
    """
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.output import Format, console_for, document_text, format_of, rows_text
    from nemo_eval_operator.plugin.run_results import as_document, run_with_scores, score_rows

    chosen = format_of(output)
    run = with_cluster(
        access_of(namespace, context, kubeconfig), lambda cluster: run_with_scores(cluster, name)
    )
    for note in run.notes:
        typer.echo(note, err=True)
    if chosen.is_table:
        from nemo_eval_operator.plugin.result_screen import show_run

        show_run(run, console_for(no_color=no_color, wide=chosen is Format.WIDE))
    elif chosen is Format.CSV:
        typer.echo(rows_text(chosen, score_rows(run)), nl=False)
    else:
        typer.echo(document_text(chosen, as_document(run)), nl=False)
    return ExitCode.PASSED
