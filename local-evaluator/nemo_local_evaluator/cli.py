"""The command line: reads options, and serves the application or evaluates once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
import uvicorn
from rich.console import Console

from .api.guard import served_hosts
from .app import create_app
from .evaluations import Outcome
from .oneshot import (
    UNREADABLE,
    Assignment,
    Gate,
    NotJudged,
    Report,
    evaluate_once,
    results_json,
    run_documents,
    scores_table,
    target_shown,
)
from .options import (
    HARNESS_PYTHON,
    HARNESS_TASKS,
    HARNESS_TOKENIZERS,
    MODELS,
    TOKEN_VARIABLE,
    harness_of,
    registered_models,
    token_of,
)
from .processes import exit_on_sigterm
from .settings import Settings
from .wire.errors import ContradictingQuirks, EvaluationError, InvalidDocument
from .wire.quirks import Quirk, checked

__all__ = ["LogLevel", "app", "main", "run", "serve"]

# Plain help: Typer's boxes keep the line breaks of a docstring, wherever the terminal breaks lines itself.
app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

ALL_ADDRESSES: Final = "::"
"""The --host that listens on every address of the machine."""

_WIDTH_OF_A_LOG: Final = 200
"""Columns."""

LogLevel = Literal["critical", "error", "warning", "info", "debug"]


@app.callback()
def main() -> None:
    """NeMo Evaluator's v1 REST API for laptops and CI, with real evaluations.

    Models are called at any OpenAI-compatible endpoint; no other service is needed. `serve` serves the API of
    NeMo Evaluator and keeps its data in one directory; `run` evaluates once and prints the scores.
    """


@app.command()
def serve(
    *,
    data: Annotated[
        Path,
        typer.Option(
            file_okay=False,
            metavar="DIRECTORY",
            help="Directory of the database; created if missing. Datasets are read from here, too.",
        ),
    ],
    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Address to listen on; `::` is every address, IPv4 and IPv6."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Port to listen on; 0 chooses a free one.")
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
            help="Host name that requests may use, besides localhost and --host. May be repeated. Needed on a"
            " loopback address only; on other addresses all names are accepted unless this option is given.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            envvar=f"{TOKEN_VARIABLE}_FILE",
            help="File with the bearer token that all requests except those to /health must carry. The"
            f" variable {TOKEN_VARIABLE} may hold the token itself instead. Without either, requests are not"
            " authenticated.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Jobs evaluated at the same time.")] = 4,
    models: Annotated[Path | None, MODELS] = None,
    harness_python: Annotated[Path | None, HARNESS_PYTHON] = None,
    harness_tasks: Annotated[list[Path] | None, HARNESS_TASKS] = None,
    harness_tokenizers: Annotated[list[Path] | None, HARNESS_TOKENIZERS] = None,
    quirk: Annotated[
        list[Quirk] | None,
        typer.Option(
            metavar="NAME",
            help="Behave as another NeMo Evaluator might where its behaviour is not documented. May be"
            " repeated; docs/reference/local-evaluator-api.md describes each.",
        ),
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(help="Minimum log level.")] = "info",
) -> None:
    """Serve the API until interrupted.

    Jobs that are queued when the server stops run when it is started again with the same --data; jobs that
    were running are marked as failed. Without a token, requests are not authenticated: listen on other
    addresses than 127.0.0.1 in trusted networks only.

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
        models=registered_models(models),
        harness=harness_of(harness_python, harness_tasks, harness_tokenizers),
        hosts=served_hosts(host, allowed_host or ()),
        token=token_of(token_file),
        quirks=quirks,
    )
    # asyncio takes "::" for the addresses of IPv6 only, and no name for all.
    listen = "" if host == ALL_ADDRESSES else host
    exit_on_sigterm()
    uvicorn.run(create_app(settings), host=listen, port=port, log_level=log_level, server_header=False)


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
            help="Target to evaluate: a YAML or JSON file (NeMo's target, or a NemoEvalJob with one), the"
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
    models: Annotated[Path | None, MODELS] = None,
    harness_python: Annotated[Path | None, HARNESS_PYTHON] = None,
    harness_tasks: Annotated[list[Path] | None, HARNESS_TASKS] = None,
    harness_tokenizers: Annotated[list[Path] | None, HARNESS_TOKENIZERS] = None,
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
            help="Also write the results, scores and samples, to this file as JSON.",
        ),
    ] = None,
    gate: Annotated[
        Path | None,
        typer.Option(
            metavar="POLICY",
            help="Judge the results by this gate, with the program nemo-eval-operator, which has to be"
            " installed too. YAML: a gate with criteria, a NemoEvalJob, or a policy of `nel gate`.",
        ),
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Results of the run that the gate compares with, as --output writes them. May be repeated.",
        ),
    ] = None,
) -> None:
    """Evaluate once, without a server, and print the scores.

    Progress goes to standard error, scores to standard output: means over the samples, with their count,
    standard error, and the number of samples without a score (NaN).

    Exit code: 0 when the evaluation completed, 1 when it failed, 2 when CONFIG or an option is wrong,
    130 when it was interrupted. With --gate, a completed evaluation has the exit code of its verdict: 0
    passed, 1 failed, 2 inconclusive, 3 not judged, because the program, the policy or a file is missing or
    unreadable. Policy and baseline are checked before the evaluation starts.

    \b
    Examples:
    nemo-local-evaluator run qa.yaml --target target.yaml
    nemo-local-evaluator run qa.yaml --target target.yaml --gate gate.yaml --baseline earlier.json
    nemo-local-evaluator run qa.yaml --target name=smollm2 --models models.json --limit 20
    nemo-local-evaluator run qa.yaml --output results.json \\
        --target '{"type": "dataset", "dataset": "file://answers.jsonl"}'
    """
    errors = Console(stderr=True)
    if baseline and gate is None:
        raise typer.BadParameter("has no effect without --gate", param_hint="--baseline")
    try:
        config_document, target_document = run_documents(config, target, limit=limit, judged=gate is not None)
        assignment = Assignment(
            config=config_document,
            target=target_document,
            roots=tuple(path.resolve() for path in (config.parent, *(allow_path or ()))),
            models=registered_models(models),
            harness=harness_of(harness_python, harness_tasks, harness_tokenizers),
        )
    except InvalidDocument as error:
        raise typer.BadParameter(str(error)) from error
    judge = _checked_gate(gate, baseline or ()) if gate is not None else None
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
    # Output that is not to a terminal need not fit into a window.
    Console(width=None if terminal.is_terminal else _WIDTH_OF_A_LOG).print(scores_table(outcome))
    if outcome.incomplete:
        errors.print(outcome.message, markup=False, highlight=False, soft_wrap=True)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(results_json(outcome))
    if judge is not None:
        raise typer.Exit(_print_verdict(judge, outcome))


def _checked_gate(policy: Path, baselines: Sequence[Path]) -> Gate:
    try:
        return Gate(policy, baselines)
    except NotJudged as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(UNREADABLE) from error


def _print_verdict(gate: Gate, outcome: Outcome) -> int:
    """Print what the gate makes of the results, and return the exit code."""
    try:
        verdict, code = gate.judge(results_json(outcome))
    except NotJudged as error:
        typer.echo(str(error), err=True)
        return UNREADABLE
    typer.echo(verdict)
    return code
