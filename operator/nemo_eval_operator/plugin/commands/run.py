"""`kubectl nemoeval run`: creates a run, and follows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nemo_eval_operator.plugin.exit_codes import CommandFailed, ExitCode

from .options import Context, Kubeconfig, Namespace, NoColor, access_of

if TYPE_CHECKING:
    from nemo_eval_operator.plugin.access import Cluster

__all__ = ["run"]


def run(
    *,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", "-b", metavar="NAME", help="The NemoBenchmark to run.")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="JOB",
            help="Run that this one is to be like: its spec, except for what other options set.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="NAME", help="Name of a model that is registered in NeMo."),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON: a target of NeMo, or a NemoEvalJob that has one.", metavar="FILE"),
    ] = None,
    gate: Annotated[
        Path | None,
        typer.Option(
            help="YAML: a gate with criteria, a NemoEvalJob that has one, or a policy of `nel gate`.",
            metavar="FILE",
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="JOB", help="The run that the gate compares with.")
    ] = None,
    sampling_params: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help=(
                "Sampling parameter instead of the benchmark's, such as temperature=0 (JSON, or else text; "
                "null: the benchmark's, instead of that of --like); may be repeated."
            ),
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="Evaluate at most N samples of each task.")
    ] = None,
    one_sample: Annotated[
        bool | None,
        typer.Option(
            "--one-sample/--all-samples",
            help="Evaluate one sample of each task as a trial (spec.dryRun), or all in spite of --like.",
            show_default=False,
        ),
    ] = None,
    priority: Annotated[
        int | None,
        typer.Option(metavar="N", help="Higher numbers start first among waiting runs of the namespace."),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--labels", "-l", metavar="KEY=VALUE,...", help="Labels of the run; may be repeated."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the run, which must not exist yet.",
            show_default="BENCHMARK-RANDOM",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run until it has ended.")] = False,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Longest wait with --wait, such as 90s, 30m or 2h.",
            show_default="no limit",
        ),
    ] = None,
    namespace: Namespace = None,
    no_color: NoColor = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Start a run of a benchmark, and print its name. With --wait, follow it and print how it ended.

    The exit code with --wait is that of `wait`. Ctrl-C and a time-out end the command; the run goes on.
    """
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.creating import create_run, follow
    from nemo_eval_operator.plugin.durations import seconds_of
    from nemo_eval_operator.plugin.new_run import RunOptions

    if timeout is not None and not wait:
        raise CommandFailed("--timeout needs --wait", ExitCode.USAGE)
    seconds = None if timeout is None else seconds_of(timeout)
    options = RunOptions(
        benchmark=benchmark,
        like=like,
        model=model,
        target=target,
        gate=gate,
        baseline=baseline,
        sampling_params=tuple(sampling_params or ()),
        limit=limit,
        one_sample=one_sample,
        priority=priority,
        labels=tuple(labels or ()),
        name=name,
    )

    def report(line: str) -> None:
        typer.echo(line, err=True)

    async def start(cluster: Cluster) -> int:
        created = await create_run(cluster, options, report=report)
        if wait:
            report(f"created {created} in namespace {cluster.namespace}")
            return await follow(
                cluster, created, seconds=seconds, report=report, conclude=typer.echo, no_color=no_color
            )
        typer.echo(created)
        report(f"follow it with `kubectl nemoeval wait {created} -n {cluster.namespace}`")
        return ExitCode.PASSED

    return with_cluster(access_of(namespace, context, kubeconfig), start)
