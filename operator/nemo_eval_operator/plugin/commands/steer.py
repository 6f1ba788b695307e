"""`kubectl nemoeval cancel`, `suspend`, `resume` and `rerun`: change what a run does next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .options import Context, Kubeconfig, Namespace, access_of

if TYPE_CHECKING:
    from nemo_eval_operator.plugin.access import Access

__all__ = ["cancel", "rerun", "resume", "suspend"]

Names = Annotated[list[str], typer.Argument(metavar="NAME", help="Runs (NemoEvalJobs).")]


def cancel(
    names: Names,
    *,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Cancel runs, in the evaluator too.

    A cancelled run cannot be continued, nor run again. Refused for a run that has ended. Exit code: 0 done,
    1 refused, 4 not found or forbidden.
    """
    return _steer("cancel", names, access_of(namespace, context, kubeconfig))


def suspend(
    names: Names,
    *,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Hold back runs that are not submitted yet, until `resume`.

    Refused for a run that is submitted, which the evaluator cannot pause: cancel it instead. Exit code: 0
    done, 1 refused, 4 not found or forbidden.
    """
    return _steer("suspend", names, access_of(namespace, context, kubeconfig))


def resume(
    names: Names,
    *,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Let suspended runs proceed.

    Refused for a run that is not suspended. Exit code: 0 done, 1 refused, 4 not found or forbidden.
    """
    return _steer("resume", names, access_of(namespace, context, kubeconfig))


def rerun(
    names: Names,
    *,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Start another attempt of runs.

    Model, config and gate stay the same. The attempt starts after the present one has ended. Refused for a
    run that was cancelled by `cancel`, or that is not submitted yet. Exit code: 0 done, 1 refused, 4 not
    found or forbidden.
    """
    return _steer("rerun", names, access_of(namespace, context, kubeconfig))


def _steer(action: str, names: list[str], access: Access) -> int:
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.editing import steer
    from nemo_eval_operator.plugin.steering import Action

    return with_cluster(
        access,
        lambda cluster: steer(
            cluster,
            Action(action),
            names,
            done=typer.echo,
            refused=lambda line: typer.echo(f"error: {line}", err=True),
        ),
    )
