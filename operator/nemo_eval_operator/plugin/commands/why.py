"""`kubectl nemoeval why`: what is in the way of a run."""

from __future__ import annotations

import typer

from nemo_eval_operator.plugin.exit_codes import ExitCode

from .options import Context, Kubeconfig, Name, Namespace, NoColor, access_of

__all__ = ["why"]


def why(
    name: Name,
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

    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.links import chain_of
    from nemo_eval_operator.plugin.screen import style_of, window_width
    from nemo_eval_operator.plugin.why import read_facts
    from nemo_eval_operator.plugin.why_screen import why_lines

    facts = with_cluster(access_of(namespace, context, kubeconfig), lambda cluster: read_facts(cluster, name))
    style, now = style_of(no_color=no_color), datetime.now(UTC)
    for line in why_lines(facts, chain_of(facts), now=now, style=style, width=window_width()):
        typer.echo(line)
    return ExitCode.PASSED
