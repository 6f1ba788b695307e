"""`nemo-eval-operator run`: the operator, until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from nemo_eval_operator.imports import import_without
from nemo_eval_operator.kube import Credentials
from nemo_eval_operator.runtime.leader import LeaseLost
from nemo_eval_operator.runtime.logs import configure_logging
from nemo_eval_operator.runtime.memory import return_large_blocks
from nemo_eval_operator.settings import LogFormat, Settings

from .configuration import read_settings

__all__ = ["run"]

logger = logging.getLogger(__name__)


def run(  # noqa: PLR0917 - Typer turns parameters into options
    evaluator_url: Annotated[
        str | None,
        typer.Option(
            help="Base URL of the NeMo Evaluator.",
            envvar="NVIDIA_EVALUATOR_URL",
            show_default="http://localhost:7331",
        ),
    ] = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", "-n", help="Watch this namespace only; may be repeated."),
    ] = None,
    selector: Annotated[
        str | None,
        typer.Option(
            help=(
                "Label selector: reconcile only matching jobs, benchmarks and connections. "
                "Labels that it names must not change to what no operator matches: the object's finalizer "
                "would stay and block its deletion."
            ),
            show_default="all objects",
        ),
    ] = None,
    leader_elect: Annotated[
        bool | None,
        typer.Option(
            "--leader-elect/--no-leader-elect",
            help="Work only while holding a Lease, so that other processes may stand by.",
            show_default="no",
        ),
    ] = None,
    lease_name: Annotated[
        str | None,
        typer.Option(
            help="Name of the Lease; operators with different selectors or namespaces need one each.",
            show_default="nemo-eval-operator",
        ),
    ] = None,
    lease_namespace: Annotated[
        str | None, typer.Option(help="Namespace of the Lease.", show_default="the pod's own, else default")
    ] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="Kubeconfig file; default: the pod's service account, else kubectl's own."),
    ] = None,
    health_port: Annotated[
        int | None,
        typer.Option(help="Port of /healthz, /readyz and /metrics; 0 turns it off.", show_default="8080"),
    ] = None,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(help="json for log collectors, console for reading.", show_default="json"),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error.", show_default="info")
    ] = None,
) -> None:
    """Run the operator until it is stopped.

    Options have environment variables, NEMO_ and their names in capitals (NEMO_NAMESPACES is
    separated by commas), and so have the settings that are rarely changed:
    NEMO_POLL_INTERVAL_SECONDS, NEMO_REQUEST_TIMEOUT_SECONDS, NEMO_SETTLE_SECONDS, NEMO_WORKERS,
    NEMO_LEASE_DURATION_SECONDS, NEMO_LEASE_RENEW_DEADLINE_SECONDS, NEMO_LEASE_RETRY_SECONDS.
    An option goes before its variable.
    """
    given: dict[str, Any] = {
        "evaluator_url": evaluator_url,
        "namespaces": tuple(namespace) if namespace else None,
        "selector": selector,
        "leader_elect": leader_elect,
        "lease_name": lease_name,
        "lease_namespace": lease_namespace,
        "kubeconfig": kubeconfig,
        "health_port": health_port,
        "log_format": log_format,
        "log_level": log_level,
    }
    settings, credentials = read_settings(given)
    configure_logging(settings.log_format, settings.log_level)
    lost = False
    try:
        _run_until_stopped(settings, credentials)
    except* LeaseLost as group:
        lost = True
        for cause in group.exceptions:
            logger.critical("stopped at once, as the lease is lost: %s", cause)
    if lost:
        raise typer.Exit(1)


def _run_until_stopped(settings: Settings, credentials: Credentials) -> None:
    # The official client, which Kopf knows objects of, takes longer to import than all else.
    import_without("kopf", part="kubernetes")
    from nemo_eval_operator.app import run_operator

    return_large_blocks()
    # No import becomes garbage: to look for it among them takes a fifth of an idle operator's CPU.
    gc.freeze()
    # Cancelled is what a signal makes of an operator that was only waiting.
    with suppress(asyncio.CancelledError):
        asyncio.run(run_operator(settings, credentials))
