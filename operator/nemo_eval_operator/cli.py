"""The command line: `nemo-eval-operator run`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from . import __version__
from .app import run_operator
from .kube import Credentials, KubeConfigMissing
from .logs import configure_logging
from .results_view import NoResults, fetch, results_lines
from .settings import LogFormat, Settings

__all__ = ["app"]

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
    kubeconfig: Annotated[
        Path | None,
        typer.Option(help="Kubeconfig file; default: the pod's service account, else kubectl's own."),
    ] = None,
    health_port: Annotated[
        int | None, typer.Option(help="Port of /healthz and /metrics; 0 turns it off.", show_default="8080")
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
    NEMO_POLL_INTERVAL_SECONDS, NEMO_REQUEST_TIMEOUT_SECONDS, NEMO_SETTLE_SECONDS, NEMO_WORKERS.
    An option goes before its variable.
    """
    given: dict[str, Any] = {
        "evaluator_url": evaluator_url,
        "namespaces": tuple(namespace) if namespace else None,
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
def version() -> None:
    """Print the version."""
    typer.echo(__version__)
