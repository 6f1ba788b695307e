"""`kubectl nemoeval logs`: the evaluator's log of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Context, Kubeconfig, Name, Namespace, access_of

__all__ = ["logs"]


def logs(
    name: Name,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print new lines until the run has ended.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Lines at the end of each file.", show_default="all"),
    ] = None,
    evaluator_url: Annotated[
        str | None,
        typer.Option(
            help="Address to use instead of the evaluator's, e.g. of a port-forward.",
            metavar="URL",
            show_default="that of the run",
        ),
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Print the evaluator's log of a run's remote job.

    The evaluator is called from this machine, with the credentials of the run's connection: you need the
    right to get that connection and its Secrets. An evaluator that only pods reach needs a port-forward.
    """
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.logs import show_log

    return with_cluster(
        access_of(namespace, context, kubeconfig),
        lambda cluster: show_log(
            cluster,
            name,
            follow=follow,
            tail=tail,
            evaluator_url=evaluator_url,
            write=typer.echo,
            note=lambda line: typer.echo(line, err=True),
        ),
    )
