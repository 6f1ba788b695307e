"""`kubectl nemoeval doctor`: checks cluster, operator and rights."""

from __future__ import annotations

from typing import Annotated

import typer

from nemo_eval_operator.plugin.exit_codes import ExitCode

from .options import Context, Kubeconfig, Namespace, NoColor, Output, access_of

__all__ = ["doctor"]


def doctor(
    *,
    operator_namespace: Annotated[
        str,
        typer.Option(
            metavar="NAMESPACE",
            help="Namespace of the operator, where you may not read leases of all namespaces.",
        ),
    ] = "nemo-eval-system",
    lease: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the operator's Lease.")
    ] = "nemo-eval-operator",
    output: Output = None,
    namespace: Namespace = None,
    no_color: NoColor = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Check CRDs, operator, rights, connections and clocks.

    Each finding says what to do. Exit code: 0 no error, 1 an error was found, 5 Kubernetes API unavailable.
    What you may not read is a warning.
    """
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.doctor import Level, examine, finding_lines
    from nemo_eval_operator.plugin.output import format_of, rows_text
    from nemo_eval_operator.plugin.screen import style_of, window_width

    chosen = format_of(output)
    found = with_cluster(
        access_of(namespace, context, kubeconfig),
        lambda cluster: examine(cluster, operator_namespace=operator_namespace, lease=lease),
    )
    if chosen.is_table:
        for line in finding_lines(found, style=style_of(no_color=no_color), width=window_width()):
            typer.echo(line)
    else:
        typer.echo(rows_text(chosen, [one.as_json() for one in found]), nl=False)
    return ExitCode.FAILED if any(one.level is Level.ERROR for one in found) else ExitCode.PASSED
