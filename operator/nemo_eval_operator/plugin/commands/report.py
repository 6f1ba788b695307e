"""`kubectl nemoeval report`: writes runs into one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nemo_eval_operator.plugin.exit_codes import CommandFailed, ExitCode

from .options import Context, Kubeconfig, Namespace, access_of

__all__ = ["report"]

FORMATS = (".html", ".md", ".json")
"""Endings of files, by which the format is chosen."""


def report(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Runs (NemoEvalJobs) to report.")],
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write: its ending is .html, .md or .json."
        ),
    ],
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Write runs into an HTML, Markdown or JSON file.

    A report has verdicts, scores with intervals, comparison, items, config and provenance. Of several runs,
    the first is the one that the others are compared with; a single run is compared with the baseline of its
    gate. The HTML file is complete in itself: it works offline, contains no script, and prints well. Markdown
    is for pull requests.
    """
    from datetime import UTC, datetime

    from nemo_eval_operator.plugin.access import with_cluster
    from nemo_eval_operator.plugin.report import (
        ReportNeedsExtra,
        as_html,
        as_markdown,
        build_report,
        read_documents,
    )

    if output.suffix not in FORMATS:
        raise CommandFailed(
            f"{output}: the ending chooses the format: use .html, .md or .json", ExitCode.USAGE
        )
    documents = with_cluster(
        access_of(namespace, context, kubeconfig), lambda cluster: read_documents(cluster, names)
    )
    found = build_report(documents, now=datetime.now(UTC))
    try:
        match output.suffix:
            case ".html":
                text = as_html(found)
            case ".md":
                text = as_markdown(found)
            case _:
                text = found.model_dump_json(by_alias=True, indent=2) + "\n"
        output.write_text(text, encoding="utf-8")
    except ReportNeedsExtra as error:
        raise CommandFailed(str(error)) from error
    except OSError as error:
        raise CommandFailed(f"{output} cannot be written: {error.strerror}") from error
    typer.echo(f"wrote {output}", err=True)
    return ExitCode.PASSED
