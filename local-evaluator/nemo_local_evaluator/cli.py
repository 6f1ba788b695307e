"""The command line: reads options, and serves the application or evaluates once."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console

from .api.guard import served_hosts
from .app import create_app
from .evaluations import Outcome
from .harness import Harness
from .oneshot import (
    Assignment,
    Report,
    evaluate_once,
    run_documents,
    scores_table,
    target_shown,
)
from .settings import RegisteredModel, Settings, read_models, read_token
from .wire.errors import ContradictingQuirks, EvaluationError, InvalidDocument
from .wire.quirks import Quirk, checked

__all__ = ["LogLevel", "app", "main", "run", "serve"]

# Plain help: Typer's boxes keep the line breaks of a docstring, wherever the terminal breaks lines itself.
app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

_WIDTH_OF_A_LOG: Final = 200
"""Columns."""

_TOKEN_VARIABLE: Final = "NEMO_LOCAL_EVALUATOR_TOKEN"  # noqa: S105 - the name of a variable

_MODELS: Final = typer.Option(
    exists=True,
    dir_okay=False,
    metavar="FILE",
    help='JSON file of models that targets may name: {"NAME": {"url": ..., "model_id": ..., "api_key": ...}};'
    " the last two are optional.",
)

_HARNESS_PYTHON: Final = typer.Option(
    exists=True,
    dir_okay=False,
    metavar="FILE",
    help="Interpreter that lm-eval is installed for, where that is not this one.",
)

_HARNESS_TASKS: Final = typer.Option(
    exists=True,
    file_okay=False,
    metavar="DIRECTORY",
    help="Directory with further tasks for lm-eval, in its YAML. May be repeated. Such a task may run Python"
    " code: name only directories that nobody else writes to.",
)

_HARNESS_TOKENIZERS: Final = typer.Option(
    exists=True,
    file_okay=False,
    metavar="DIRECTORY",
    help="Directory beneath which a config's params.extra.tokenizer may name a tokenizer by its absolute"
    " path. May be repeated.",
)

LogLevel = Literal["critical", "error", "warning", "info", "debug"]


@app.callback()
def main() -> None:
    """NeMo Evaluator's v1 REST API for laptops and CI, with real evaluations.

    Models are called at any endpoint that speaks OpenAI's API; no other service is needed. `serve` answers as
    NeMo Evaluator does and keeps everything in one directory; `run` evaluates once and prints the scores.
    """


@app.command()
def serve(
    *,
    data: Annotated[
        Path,
        typer.Option(
            file_okay=False,
            metavar="DIRECTORY",
            help="Directory of the database; made if missing. Datasets are read from here too.",
        ),
    ],
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Port to listen on; 0 takes any free one.")
    ] = 7331,
    allow_path: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            file_okay=False,
            metavar="DIRECTORY",
            help="Directory that dataset files may be read from, instead of --data. May be repeated; relative"
            " paths are looked up in each, in this order.",
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Host name that requests may call this server by, besides localhost and --host. May be"
            " repeated. Needed on a loopback address only; on others every name is served unless this option"
            " is given.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            envvar=f"{_TOKEN_VARIABLE}_FILE",
            help="File with the bearer token that requests have to carry, all but those to /health. The"
            f" variable {_TOKEN_VARIABLE} may hold the token itself instead. Without either there is no"
            " authentication.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Jobs evaluated at the same time.")] = 4,
    models: Annotated[Path | None, _MODELS] = None,
    harness_python: Annotated[Path | None, _HARNESS_PYTHON] = None,
    harness_tasks: Annotated[list[Path] | None, _HARNESS_TASKS] = None,
    harness_tokenizers: Annotated[list[Path] | None, _HARNESS_TOKENIZERS] = None,
    quirk: Annotated[
        list[Quirk] | None,
        typer.Option(
            metavar="NAME",
            help="Behave as another NeMo Evaluator might, where nobody has written down what it does. May be"
            " repeated; docs/reference/local-evaluator-api.md says what each means.",
        ),
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(help="How much to log.")] = "info",
) -> None:
    """Serve the API until interrupted.

    Jobs that wait when the server stops are taken up by the next one with the same --data; jobs that run are
    marked as failed. Without a token there is no authentication: then listen on other addresses in trusted
    networks only.

    \b
    Examples:
    nemo-local-evaluator serve --data ./evaluator
    nemo-local-evaluator serve --data ./evaluator --allow-path ./datasets --models models.json
    """
    try:
        quirks = checked(quirk or ())
    except ContradictingQuirks as error:
        raise typer.BadParameter(str(error), param_hint="--quirk") from error
    settings = Settings(
        data=data,
        allow_paths=tuple(allow_path or ()),
        workers=workers,
        models=_registered(models),
        harness=_harness(harness_python, harness_tasks, harness_tokenizers),
        hosts=served_hosts(host, allowed_host or ()),
        token=_token(token_file),
        quirks=quirks,
    )
    uvicorn.run(create_app(settings), host=host, port=port, log_level=log_level, server_header=False)


@app.command()
def run(
    config: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            metavar="CONFIG",
            help="YAML or JSON: NeMo's config, or a NemoBenchmark or NemoEvalJob with one.",
        ),
    ],
    *,
    target: Annotated[
        str,
        typer.Option(
            metavar="TARGET",
            help="What is evaluated: a YAML or JSON file (NeMo's target, or a NemoEvalJob with one), the"
            " target itself as JSON, or name=MODEL for a model of --models.",
        ),
    ],
    allow_path: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            file_okay=False,
            metavar="DIRECTORY",
            help="Directory that dataset files may be read from, besides that of CONFIG. May be repeated;"
            " relative paths are looked up in CONFIG's first, then in each, in this order.",
        ),
    ] = None,
    models: Annotated[Path | None, _MODELS] = None,
    harness_python: Annotated[Path | None, _HARNESS_PYTHON] = None,
    harness_tasks: Annotated[list[Path] | None, _HARNESS_TASKS] = None,
    harness_tokenizers: Annotated[list[Path] | None, _HARNESS_TOKENIZERS] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Samples of each task, instead of the config's limit_samples or the job's limitSamples;"
            " all by default.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            metavar="FILE",
            help="Write the results to this file too, as JSON: scores and samples.",
        ),
    ] = None,
) -> None:
    """Evaluate once, without a server, and print the scores.

    Progress goes to standard error, scores to standard output: means over the samples, with their count,
    standard error, and the number of samples for which there is none (NaN).

    Exit code: 0 when the evaluation completed, 1 when it failed, 2 when CONFIG or an option is wrong,
    130 when it was interrupted.

    \b
    Examples:
    nemo-local-evaluator run qa.yaml --target target.yaml
    nemo-local-evaluator run qa.yaml --target name=smollm2 --models models.json --limit 20
    nemo-local-evaluator run qa.yaml --output results.json \\
        --target '{"type": "dataset", "dataset": "file://answers.jsonl"}'
    """
    errors = Console(stderr=True)
    try:
        config_document, target_document = run_documents(config, target, limit=limit)
        assignment = Assignment(
            config=config_document,
            target=target_document,
            roots=tuple(path.resolve() for path in (config.parent, *(allow_path or ()))),
            models=_registered(models),
            harness=_harness(harness_python, harness_tasks, harness_tokenizers),
        )
    except InvalidDocument as error:
        raise typer.BadParameter(str(error)) from error
    evaluated = f"{config} (type {config_document['type']}) on target: {target_shown(target_document)}"
    errors.print(f"Evaluating {evaluated}", markup=False, highlight=False, soft_wrap=True)
    try:
        with Report(errors) as report:
            outcome = asyncio.run(evaluate_once(assignment, report))
    except EvaluationError as error:
        errors.print(f"The evaluation failed: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        errors.print("The evaluation was interrupted.")
        raise typer.Exit(130) from error
    terminal = Console()
    # Where nobody looks, no line has to fit into a window.
    Console(width=None if terminal.is_terminal else _WIDTH_OF_A_LOG).print(scores_table(outcome))
    if outcome.incomplete:
        errors.print(outcome.message, markup=False, highlight=False, soft_wrap=True)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(_as_json(outcome))


def _token(file: Path | None) -> str | None:
    source, text = (
        ("--token-file", file.read_text()) if file else (_TOKEN_VARIABLE, os.environ.get(_TOKEN_VARIABLE))
    )
    if text is None:
        return None
    try:
        return read_token(text)
    except ValueError as error:
        raise typer.BadParameter(f"the token {error}", param_hint=source) from error


def _registered(models: Path | None) -> dict[str, RegisteredModel]:
    try:
        return read_models(models) if models else {}
    except ValidationError as error:
        raise typer.BadParameter(str(error), param_hint="--models") from error


def _harness(python: Path | None, tasks: list[Path] | None, tokenizers: list[Path] | None) -> Harness:
    return Harness(
        python=python or Path(sys.executable),
        task_directories=tuple(tasks or ()),
        tokenizer_directories=tuple(tokenizers or ()),
    )


def _as_json(outcome: Outcome) -> str:
    return json.dumps({"tasks": outcome.tasks, "groups": outcome.groups}, indent=2) + "\n"
