"""The command line: `nemo-eval-operator run`."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from . import __version__
from .app import run_operator
from .health_check import Unhealthy, check_health
from .kube import Credentials, KubeConfigMissing
from .leader import LeaseLost
from .logs import configure_logging
from .results_view import NoResults, fetch, results_lines
from .settings import LogFormat, Settings

__all__ = ["app"]

logger = logging.getLogger(__name__)

app = typer.Typer(
    help="Evaluate models on benchmarks as Kubernetes objects, with NVIDIA NeMo Evaluator.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
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
                "Label selector: take care of the jobs and benchmarks that it matches, and of no others. "
                "Labels that it names must not change to what no operator matches: the object's finalizer "
                "would stay, and hold up its deletion for ever."
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
        LogFormat | None, typer.Option(help="For collectors or for people.", show_default="json")
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
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        credentials = Credentials.find(settings.kubeconfig)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise typer.BadParameter("; ".join(problems)) from error
    except KubeConfigMissing as error:
        typer.echo(f"no way to the Kubernetes API: {error}", err=True)
        raise typer.Exit(2) from error
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
    # Cancelled is what a signal makes of an operator that was only waiting.
    with suppress(asyncio.CancelledError):
        asyncio.run(run_operator(settings, credentials))


@app.command()
def results(
    name: Annotated[str, typer.Argument(help="The NemoEvalJob.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    samples: Annotated[int, typer.Option(help="Answers to show of each task.", min=0)] = 5,
    document: Annotated[
        bool, typer.Option("--json", help="Print the evaluator's whole document instead.")
    ] = False,
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; default: kubectl's own.")] = None,
) -> None:
    """Show a finished job's scores and what the model answered."""
    try:
        job, text = fetch(kubeconfig, namespace, name)
    except (NoResults, KubeConfigMissing) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if document:
        typer.echo(text)
        return
    for line in results_lines(job, text, samples=samples):
        typer.echo(line)


@app.command()
def health(
    port: Annotated[
        int,
        typer.Option(help="Port of its /healthz.", envvar="NEMO_HEALTH_PORT", min=1, max=65535),
    ] = 8080,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the answer.", min=0.1, max=60)] = 5.0,
) -> None:
    """Ask the operator on this machine whether it is well; exit code 1 and the reason if not.

    For the HEALTHCHECK of a container engine. Kubernetes asks over HTTP by itself.
    """
    try:
        check_health(port, timeout=timeout)
    except Unhealthy as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo("healthy")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
