"""`nemo-eval-operator release-finalizers`: frees all objects before the operator is uninstalled."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nemo_eval_operator.kube import (
    Credentials,
    DeploymentClient,
    KubeClient,
    KubeError,
    LeaseClient,
    http_client,
)

from .configuration import read_settings

if TYPE_CHECKING:
    from nemo_eval_operator.uninstall import Released, Scope

__all__ = ["release"]


def release(
    *,
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", "-n", help="Objects of this namespace only; may be repeated."),
    ] = None,
    selector: Annotated[
        str | None,
        typer.Option(help="Objects that this label selector matches only.", show_default="all objects"),
    ] = None,
    stop_deployment: Annotated[
        str | None,
        typer.Option(
            metavar="NAMESPACE/NAME",
            help="The operator's Deployment: scale it to 0 first and wait until its pods are gone.",
        ),
    ] = None,
    lease_name: Annotated[
        str | None,
        typer.Option(
            help="Lease that shows whether an operator is running.", show_default="nemo-eval-operator"
        ),
    ] = None,
    lease_namespace: Annotated[
        str | None, typer.Option(help="Namespace of that Lease.", show_default="any")
    ] = None,
    delete_lease: Annotated[
        str | None,
        typer.Option(
            metavar="NAMESPACE/NAME",
            help="The operator's Lease: delete it when all objects are free, unless it is still renewed.",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds after which it gives up.", min=1)] = 240,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="Kubeconfig file; default: the pod's service account, else kubectl's own."),
    ] = None,
) -> None:
    """Remove the operator's finalizer from all objects before it is uninstalled.

    Without an operator such an object could never be deleted. Nothing else is changed: objects, results
    and what is in the evaluator stay, and jobs that run there go on; they are named. It may be repeated.
    NEMO_NAMESPACES and NEMO_SELECTOR are read as by `run`. While an operator holds the lease, it refuses.
    """
    given = {
        "namespaces": tuple(namespace) if namespace else None,
        "selector": selector,
        "kubeconfig": kubeconfig,
        "lease_name": lease_name,
    }
    from nemo_eval_operator.uninstall import OperatorRunning, Scope

    deployment = _namespaced("--stop-deployment", stop_deployment)
    lease = _namespaced("--delete-lease", delete_lease)
    settings, credentials = read_settings(given)
    scope = Scope(settings.namespaces, settings.selector)
    try:
        noticed_by = settings.lease_name, lease_namespace
        released = asyncio.run(_release(credentials, scope, deployment, noticed_by, lease, seconds=timeout))
    except (KubeError, OperatorRunning) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except TimeoutError as error:
        typer.echo(f"given up after {timeout:.0f} s; run it again to go on", err=True)
        raise typer.Exit(1) from error
    for key, why in released.held.items():
        typer.echo(f"not released: {key.plural} {key.namespace}/{key.name}: {why}", err=True)
    typer.echo(
        f"objects released: {len(released.found) - len(released.held)}, not released: {len(released.held)}, "
        f"remote jobs that go on: {len(released.left_running)}"
    )
    if released.held:
        raise typer.Exit(1)


def _namespaced(option: str, given: str | None) -> tuple[str, str] | None:
    if given is None:
        return None
    namespace, _, name = given.partition("/")
    if not (namespace and name):
        raise typer.BadParameter(f"{option} is written NAMESPACE/NAME")
    return namespace, name


async def _release(
    credentials: Credentials,
    scope: Scope,
    deployment: tuple[str, str] | None,
    noticed_by: tuple[str, str | None],
    lease: tuple[str, str] | None,
    *,
    seconds: float,
) -> Released:
    from nemo_eval_operator.uninstall import (
        refuse_beside_an_operator,
        release_finalizers,
        remove_lease,
        stop_deployment,
    )

    async with asyncio.timeout(seconds), http_client(credentials) as http:
        if deployment is not None:
            await stop_deployment(DeploymentClient(http), *deployment, typer.echo)
        else:
            await refuse_beside_an_operator(LeaseClient(http), *noticed_by, typer.echo)
        released = await release_finalizers(KubeClient(http), scope, typer.echo)
        if lease is not None and not released.held:
            await remove_lease(LeaseClient(http), *lease, typer.echo)
        return released
