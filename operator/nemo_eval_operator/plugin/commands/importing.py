"""`kubectl nemoeval import`: manifests of what other programs configure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nemo_eval_operator.plugin.exit_codes import CommandFailed, ExitCode

__all__ = ["import_file"]


def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help=(
                "YAML or JSON: a config or job body of NeMo Evaluator v1, a benchmark registration of Llama "
                "Stack, or a config of NeMo Evaluator Launcher."
            ),
        ),
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Name of the objects; of a launcher config, what names begin with."
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Field to leave out, such as description; may be repeated."),
    ] = None,
    api_key_secret: Annotated[
        str | None,
        typer.Option(
            metavar="SECRET", help="Secret with the key that a launcher config names by api_key_name."
        ),
    ] = None,
) -> int:
    """Print manifests of existing NeMo configs, for kubectl apply.

    The file is a config, a job body, a registration or a launcher config. A field that cannot be mapped is
    refused with its path. Nothing is read from or written to a cluster.
    """
    import yaml

    from nemo_eval_operator.gate_command import Unreadable, read_document
    from nemo_eval_operator.plugin.importing import ImportRefused, imported
    from nemo_eval_operator.plugin.screen import clean

    try:
        found = imported(read_document(file), name=name, ignore=ignore or (), secret=api_key_secret)
    except Unreadable as error:
        raise CommandFailed(clean(str(error)), ExitCode.USAGE) from error
    except ImportRefused as error:
        raise CommandFailed(clean(f"{file}: {error}"), ExitCode.USAGE) from error
    for note in found.notes:
        typer.echo(f"note: {clean(note)}", err=True)
    typer.echo(yaml.safe_dump_all(found.manifests, sort_keys=False, width=100), nl=False)
    return ExitCode.PASSED
