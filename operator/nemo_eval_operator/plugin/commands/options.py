"""Options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nemo_eval_operator.plugin.access import Access

__all__ = ["Context", "Kubeconfig", "Name", "Namespace", "NoColor", "Output", "access_of"]

Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAMESPACE",
        help="Namespace of the runs.",
        show_default="that of the kubeconfig's context",
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The run (NemoEvalJob).")]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FORMAT",
        help="table, wide (nothing is cut), json, yaml or csv.",
        show_default="table",
    ),
]
Context = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Context of the kubeconfig.", show_default="the current context"),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Kubeconfig file.",
        show_default="$KUBECONFIG, else ~/.kube/config, else the pod's",
    ),
]

NoColor = Annotated[bool, typer.Option("--no-color", help="No colours, as with NO_COLOR.")]


def access_of(namespace: str | None, context: str | None, kubeconfig: Path | None) -> Access:
    """Return what the options say about where objects are."""
    from nemo_eval_operator.plugin.access import Access

    return Access(namespace=namespace, context=context, kubeconfig=kubeconfig)
