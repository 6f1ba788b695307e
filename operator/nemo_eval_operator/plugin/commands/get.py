"""`kubectl nemoeval get`: the table of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nemo_eval_operator.plugin.exit_codes import CommandFailed, ExitCode

from .options import Context, Kubeconfig, Namespace, NoColor, Output, access_of

if TYPE_CHECKING:
    from nemo_eval_operator.plugin.access import Cluster
    from nemo_eval_operator.plugin.run_rows import RunRow

__all__ = ["get"]


def get(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The run.", show_default="all runs")
    ] = None,
    *,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Runs of all namespaces.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show changes until interrupted.")] = False,
    output: Output = None,
    namespace: Namespace = None,
    no_color: NoColor = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """List runs: those that failed or wait first, with progress, time left, verdict and scores.

    The time left is an estimate from the share that is done. With -w the table is drawn again about every 2s;
    where the output is not a terminal, each change is printed as a line.
    """
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.output import Format, format_of, rows_text
    from nemo_eval_operator.plugin.run_list import read_rows
    from nemo_eval_operator.plugin.run_screen import print_rows, watch_on_screen

    chosen = format_of(output)
    is_table = chosen in {Format.TABLE, Format.WIDE}
    if name and all_namespaces:
        raise CommandFailed("a NAME is in one namespace: use -n instead of -A", ExitCode.USAGE)
    if watch and not is_table:
        raise CommandFailed("-w shows a table: use it without -o json, yaml and csv", ExitCode.USAGE)
    access = access_of(namespace, context, kubeconfig)
    look = {"no_color": no_color, "namespaces": all_namespaces, "wide": chosen is Format.WIDE}
    if watch:
        with_cluster(
            access,
            lambda cluster: watch_on_screen(
                lambda: read_rows(cluster, name, all_namespaces=all_namespaces), **look
            ),
        )
        return ExitCode.PASSED

    async def read(cluster: Cluster) -> tuple[str, list[RunRow]]:
        return cluster.namespace, await read_rows(cluster, name, all_namespaces=all_namespaces)

    where, rows = with_cluster(access, read)
    if not is_table:
        typer.echo(rows_text(chosen, [row.as_json() for row in rows]), nl=False)
    elif rows:
        print_rows(rows, **look)
    else:
        scope = "the cluster" if all_namespaces else f"namespace {where}"
        typer.echo(f"No runs in {scope}: start one with `kubectl nemoeval run`", err=True)
    return ExitCode.PASSED
