"""`nemo-eval-operator health`: the health of the operator on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["health"]


def health(
    port: Annotated[
        int,
        typer.Option(help="Port of its /healthz.", envvar="NEMO_HEALTH_PORT", min=1, max=65535),
    ] = 8080,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the answer.", min=0.1, max=60)] = 5.0,
) -> None:
    """Check the operator on this machine; if it is unhealthy, print the reason and exit with 1.

    For the HEALTHCHECK of a container engine. Kubernetes probes over HTTP itself.
    """
    from nemo_eval_operator.runtime.health_check import Unhealthy, check_health

    try:
        check_health(port, timeout=timeout)
    except Unhealthy as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo("healthy")
