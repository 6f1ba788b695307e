"""`kubectl nemoeval export`: sends runs to an experiment tracker."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from nemo_eval_operator.plugin.exit_codes import CommandFailed, ExitCode

from .options import Context, Kubeconfig, Namespace, access_of

__all__ = ["export"]


class Tracker(StrEnum):
    """Systems that runs are exported to."""

    MLFLOW = "mlflow"


def export(
    tracker: Annotated[  # noqa: ARG001 - there is one, and Typer refuses others
        Tracker, typer.Argument(metavar="mlflow", help="The tracker: mlflow.")
    ],
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Runs (NemoEvalJobs) to export.")],
    *,
    tracking_uri: Annotated[
        str,
        typer.Option(metavar="URL", envvar="MLFLOW_TRACKING_URI", help="URL of the MLflow tracking server."),
    ],
    experiment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Experiment to store the runs in.", show_default="NAMESPACE/BENCHMARK"
        ),
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Store finished runs in MLflow.

    A NemoEvalJob becomes one MLflow run with parameters, metrics, artifacts, and tags such as nemo.uid and
    nemo.attempt; its attempts are the steps of the metrics. Exporting again changes nothing, or adds the next
    attempt. Credentials are read from MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and
    MLFLOW_TRACKING_PASSWORD.
    """
    import asyncio
    import os

    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.export import (
        MlflowError,
        MlflowServer,
        credentials_in,
        export_runs,
        read_runs,
    )

    runs = with_cluster(access_of(namespace, context, kubeconfig), lambda cluster: read_runs(cluster, names))
    try:
        server = MlflowServer.at(tracking_uri, credentials_in(os.environ))
        lines = asyncio.run(export_runs(server, runs, experiment=experiment))
    except MlflowError as error:
        raise CommandFailed(str(error), ExitCode.FAILED) from error
    for line in lines:
        typer.echo(line)
    return ExitCode.PASSED
