"""`kubectl nemoeval get`: the table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nemo_eval_operator.plugin.exit_codes import CommandFailed, ExitCode

from .options import Context, Kubeconfig, Namespace, NoColor, access_of

if TYPE_CHECKING:
    from nemo_eval_operator.plugin.access import Access, Cluster
    from nemo_eval_operator.plugin.output import Format
    from nemo_eval_operator.plugin.run_list import Selection
    from nemo_eval_operator.plugin.run_rows import RunRow

__all__ = ["get"]


def get(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Runs (NemoEvalJobs).", show_default="all runs"),
    ] = None,
    *,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Runs of all namespaces.")
    ] = False,
    selector: Annotated[
        str | None,
        typer.Option(
            "--selector", "-l", metavar="SELECTOR", help="Label selector, such as team=search,env!=test."
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show changes until interrupted.")] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT",
            help="table, wide (nothing is cut), json, yaml, csv or name.",
            show_default="table",
        ),
    ] = None,
    namespace: Namespace = None,
    no_color: NoColor = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """List runs with progress, verdict and scores.

    Those that failed are first, then those that run and those that wait. The time left is an estimate from
    the share that is done. With -w the table is drawn again about every 2s; where the output is not a
    terminal, each change is printed as a line.
    """
    from nemo_eval_operator.plugin.output import format_of
    from nemo_eval_operator.plugin.run_list import Selection

    chosen = format_of(output, names=True)
    if names and (all_namespaces or selector):
        problem = "a NAME is in one namespace: use -n instead of -A"
        raise CommandFailed(problem if all_namespaces else "use either names or -l", ExitCode.USAGE)
    if watch and not chosen.is_table:
        raise CommandFailed("-w shows a table: use it without -o, or with -o wide", ExitCode.USAGE)
    _check(selector or "")
    wanted = Selection(names=tuple(names or ()), selector=selector or "", all_namespaces=all_namespaces)
    show = _watch if watch else _show
    show(access_of(namespace, context, kubeconfig), wanted, chosen, no_color=no_color)
    return ExitCode.PASSED


def _check(selector: str) -> None:
    from nemo_eval_operator.resources import BadSelector, LabelSelector

    try:
        LabelSelector.parse(selector)
    except BadSelector as error:
        example = "use one such as team=search or 'team in (search,ads)'"
        raise CommandFailed(f"{error}: {example}", ExitCode.USAGE) from error


def _watch(access: Access, wanted: Selection, chosen: Format, *, no_color: bool) -> None:
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.output import Format
    from nemo_eval_operator.plugin.run_list import read_rows
    from nemo_eval_operator.plugin.run_screen import watch_on_screen

    with_cluster(
        access,
        lambda cluster: watch_on_screen(
            lambda: read_rows(cluster, wanted),
            nothing=wanted.nothing_in(cluster.namespace),
            no_color=no_color,
            namespaces=wanted.all_namespaces,
            wide=chosen is Format.WIDE,
        ),
    )


def _show(access: Access, wanted: Selection, chosen: Format, *, no_color: bool) -> None:
    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.output import Format
    from nemo_eval_operator.plugin.run_list import read_rows

    async def read(cluster: Cluster) -> tuple[str, list[RunRow]]:
        return wanted.nothing_in(cluster.namespace), await read_rows(cluster, wanted)

    nothing, rows = with_cluster(access, read)
    if not rows and chosen in {Format.TABLE, Format.WIDE, Format.NAME}:
        typer.echo(nothing, err=True)
    elif chosen.is_table:
        from nemo_eval_operator.plugin.run_screen import print_rows

        is_wide = chosen is Format.WIDE
        print_rows(rows, no_color=no_color, namespaces=wanted.all_namespaces, wide=is_wide)
    else:
        typer.echo(_text(chosen, rows), nl=False)


def _text(chosen: Format, rows: Sequence[RunRow]) -> str:
    """Return the rows for programs."""
    from nemo_eval_operator.plugin.output import Format, rows_text
    from nemo_eval_operator.resources import GROUP, NemoEvalJob

    if chosen is Format.NAME:
        return "".join(f"{NemoEvalJob.__name__.lower()}.{GROUP}/{row.name}\n" for row in rows)
    return rows_text(chosen, [row.as_cells() if chosen is Format.CSV else row.as_json() for row in rows])
