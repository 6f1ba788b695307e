"""The command line: reads options into Settings and serves the application."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
import uvicorn
from pydantic import ValidationError

from nemo_local_evaluator.app import create_app
from nemo_local_evaluator.errors import ContradictingQuirksError
from nemo_local_evaluator.harness import Harness
from nemo_local_evaluator.quirks import Quirk, checked
from nemo_local_evaluator.settings import Settings, read_models

app = typer.Typer(no_args_is_help=True, add_completion=False)

LogLevel = Literal["critical", "error", "warning", "info", "debug"]


@app.callback()
def main() -> None:
    """NeMo Evaluator's v1 REST API for laptops and CI, with real evaluations.

    Runs configs of type "custom" with completion, chat-completion and data tasks against any endpoint that
    speaks OpenAI's API, and academic benchmarks where lm-eval is installed. Everything is kept in one SQLite
    file; no other service is needed.
    """


@app.command()
def serve(
    *,
    data: Annotated[
        Path,
        typer.Option(
            file_okay=False,
            help="Directory of the database; made if missing. Datasets are read from here too.",
        ),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")
    ] = 7331,
    allow_path: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Directory that dataset files may be read from, instead of --data. May be repeated; relative"
            " paths are looked up in each, in this order.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Jobs evaluated at the same time.")] = 4,
    models: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help='JSON file of models that targets may name: {"NAME": {"url": ..., "model_id": ...,'
            ' "api_key": ...}}; the last two are optional.',
        ),
    ] = None,
    harness_python: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Interpreter that lm-eval is installed for, where that is not this one.",
        ),
    ] = None,
    harness_tasks: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Directory with further tasks for lm-eval, in its YAML. May be repeated. Such a task may run"
            " Python code: name only directories that nobody else writes to.",
        ),
    ] = None,
    quirk: Annotated[
        list[Quirk] | None,
        typer.Option(
            help="Behave as another NeMo Evaluator might, where nobody has written down what it does. May be"
            " repeated; docs/local-evaluator.md says what each means."
        ),
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(help="How much to log.")] = "info",
) -> None:
    """Serve the API until interrupted.

    Jobs that wait when the server stops are taken up by the next one with the same --data; jobs that run are
    marked as failed. There is no authentication: listen on other addresses in trusted networks only.
    """
    try:
        registered = read_models(models) if models else {}
    except ValidationError as error:
        raise typer.BadParameter(str(error), param_hint="--models") from error
    try:
        quirks = checked(quirk or ())
    except ContradictingQuirksError as error:
        raise typer.BadParameter(str(error), param_hint="--quirk") from error
    settings = Settings(
        data=data,
        allow_paths=tuple(allow_path or ()),
        workers=workers,
        models=registered,
        harness=Harness(
            python=harness_python or Path(sys.executable), task_directories=tuple(harness_tasks or ())
        ),
        quirks=quirks,
    )
    uvicorn.run(create_app(settings), host=host, port=port, log_level=log_level, server_header=False)
