"""`kubectl nemoeval wait`: ends when runs have ended."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Context, Kubeconfig, Namespace, access_of

__all__ = ["wait"]


def wait(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Runs (NemoEvalJobs) to wait for.")],
    *,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="Longest wait, such as 90s, 30m or 2h.", show_default="no limit"
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only how each run ended.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Wait until runs have ended, whether they succeed or fail.

    A run that is Stalled counts as ended. Exit code: 0 passed, 1 failed or gate failed, 2 gate inconclusive,
    3 time-out, 4 not found or forbidden, 5 Kubernetes API unavailable, 64 wrong command line. Of several
    runs, the first of 4, 5, 1, 3 and 2 that one of them has.
    """
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.durations import seconds_of
    from nemo_eval_operator.plugin.waiting import StageLines, wait_for

    limit = None if timeout is None else seconds_of(timeout)

    def report(line: str) -> None:
        if not quiet:
            typer.echo(line, err=True)

    seen = StageLines(report)

    return with_cluster(
        access_of(namespace, context, kubeconfig),
        lambda cluster: wait_for(
            cluster, names, seconds=limit, seen=seen, conclude=typer.echo, advise=report, note=report
        ),
    )
