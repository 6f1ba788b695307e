"""The command line: `nemo-eval-operator run`, and what goes with it.

Each command imports what it needs itself, so that none pays for another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from typer.core import TyperCommand
from typing_extensions import override

from nemo_eval_operator import __version__
from nemo_eval_operator.runtime.leader import LeaseLost
from nemo_eval_operator.runtime.logs import configure_logging

from .imports import import_without
from .kube import (
    Credentials,
    DeploymentClient,
    KubeClient,
    KubeConfigMissing,
    KubeError,
    LeaseClient,
    http_client,
)
from .settings import LogFormat, Settings

if TYPE_CHECKING:
    from .uninstall import Released, Scope

__all__ = ["app"]

logger = logging.getLogger(__name__)

USAGE_ERROR = 2
"""Click's exit code for a wrong command line."""

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
                "Label selector: reconcile only matching jobs and benchmarks. "
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
    settings, credentials = _configured(given)
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


def _configured(given: Mapping[str, Any]) -> tuple[Settings, Credentials]:
    """Settings, and the way to the cluster; ends the command where either is not to be had."""
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        return settings, Credentials.find(settings.kubeconfig)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise typer.BadParameter("; ".join(problems)) from error
    except KubeConfigMissing as error:
        typer.echo(f"no way to the Kubernetes API: {error}", err=True)
        raise typer.Exit(2) from error


def _run_until_stopped(settings: Settings, credentials: Credentials) -> None:
    # The official client, which Kopf knows objects of, takes longer to import than all else.
    import_without("kopf", part="kubernetes")
    from .app import run_operator

    # Cancelled is what a signal makes of an operator that was only waiting.
    with suppress(asyncio.CancelledError):
        asyncio.run(run_operator(settings, credentials))


@app.command()
def results(
    name: Annotated[str, typer.Argument(help="The NemoEvalJob.")],
    *,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace", "-n", help="Its namespace.", show_default="that of the kubeconfig's context"
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Samples to show of each task.", min=0)] = 5,
    wrong: Annotated[
        bool,
        typer.Option(
            "--wrong", help="Only samples with an error, or a score that is 0 or could not be computed."
        ),
    ] = False,
    table: Annotated[
        bool,
        typer.Option(
            "--csv",
            help=(
                "Print all samples as CSV instead. Texts that a spreadsheet would take for a formula begin "
                "with an apostrophe."
            ),
        ),
    ] = False,
    document: Annotated[
        bool, typer.Option("--json", help="Print the evaluator's whole document instead.")
    ] = False,
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; default: kubectl's own.")] = None,
) -> None:
    """Show a finished job's scores and samples: what was asked, answered and expected, and their scores."""
    from .results_view import NoResults, fetch, results_csv, results_lines

    try:
        job, text = fetch(kubeconfig, namespace, name)
    except (NoResults, KubeConfigMissing) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    if document:
        typer.echo(text)
        return
    if table:
        typer.echo(results_csv(text, wrong=wrong), nl=False)
        return
    for line in results_lines(job, text, samples=samples, wrong=wrong):
        typer.echo(line)


@app.command(name="release-finalizers")
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
    from .uninstall import OperatorRunning, Scope

    deployment = _namespaced("--stop-deployment", stop_deployment)
    lease = _namespaced("--delete-lease", delete_lease)
    settings, credentials = _configured(given)
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
    from .uninstall import refuse_beside_an_operator, release_finalizers, remove_lease, stop_deployment

    async with asyncio.timeout(seconds), http_client(credentials) as http:
        if deployment is not None:
            await stop_deployment(DeploymentClient(http), *deployment, typer.echo)
        else:
            await refuse_beside_an_operator(LeaseClient(http), *noticed_by, typer.echo)
        released = await release_finalizers(KubeClient(http), scope, typer.echo)
        if lease is not None and not released.held:
            await remove_lease(LeaseClient(http), *lease, typer.echo)
        return released


class _GateCommand(TyperCommand):
    """Ends with 3 where the command line is wrong: Click's 2 means that the verdict is inconclusive."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # Typer does not export its class of usage errors; --help ends by an exception too, with 0.
            if getattr(error, "exit_code", 0) == USAGE_ERROR:
                error.exit_code = 3  # type: ignore[attr-defined]
            raise


@app.command(cls=_GateCommand)
def gate(
    policy: Annotated[
        Path, typer.Option(help="YAML: a gate with criteria, a NemoEvalJob, or a policy of `nel gate`.")
    ],
    candidate: Annotated[
        list[Path] | None,
        typer.Option(
            help="Results of the run to judge, as JSON; may be repeated. Required without --check.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        list[Path] | None, typer.Option(help="Results of the run to compare with; may be repeated.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only check the policy, and that the given results can be read."),
    ] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", help="text, json or markdown.", metavar="FORMAT")
    ] = "text",
) -> None:
    """Judge a run by thresholds and by comparison with an earlier run, without a cluster.

    Results are JSON as the evaluator's results route or `nemo-eval-operator results --json` gives them, or a
    ConfigMap as printed by `kubectl get -o json`. Exit code: 0 passed, 1 failed, 2 inconclusive, 3 usage or
    unreadable input.
    """
    from .gate_command import ExitCode, Output, Unreadable, check_gate, run_gate

    if not (candidate or check):
        typer.echo("Missing option '--candidate': name the results to judge, or set --check", err=True)
        raise typer.Exit(ExitCode.UNREADABLE)
    try:
        if check:
            typer.echo(check_gate(policy, [*(baseline or []), *(candidate or [])]))
            return
        printed, code = run_gate(
            policy, baselines=baseline or [], candidates=candidate or [], output=Output(output)
        )
    except (Unreadable, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.UNREADABLE) from error
    typer.echo(printed)
    raise typer.Exit(code)


@app.command()
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


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
