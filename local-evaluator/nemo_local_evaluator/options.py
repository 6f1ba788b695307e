"""Options that both commands share, and the values that they stand for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import typer
from pydantic import ValidationError

from .harness import Harness
from .settings import RegisteredModel, read_models, read_token
from .wire.problems import all_problems

__all__ = [
    "HARNESS_PYTHON",
    "HARNESS_TASKS",
    "HARNESS_TOKENIZERS",
    "MODELS",
    "TOKEN_VARIABLE",
    "harness_of",
    "registered_models",
    "token_of",
]

TOKEN_VARIABLE: Final = "NEMO_LOCAL_EVALUATOR_TOKEN"  # noqa: S105 - the name of a variable


MODELS: Final = typer.Option(
    exists=True,
    dir_okay=False,
    metavar="FILE",
    help='JSON file of models that targets may name: {"NAME": {"url": ..., "model_id": ..., "api_key": ...}};'
    " the last two are optional.",
)


HARNESS_PYTHON: Final = typer.Option(
    exists=True,
    dir_okay=False,
    metavar="FILE",
    help="Python interpreter that lm-eval is installed for; by default the one that runs this command.",
)


HARNESS_TASKS: Final = typer.Option(
    exists=True,
    file_okay=False,
    metavar="DIRECTORY",
    help="Directory with more tasks for lm-eval, as YAML files. May be repeated. A task can run Python"
    " code: name only directories that no other user can write to.",
)


HARNESS_TOKENIZERS: Final = typer.Option(
    exists=True,
    file_okay=False,
    metavar="DIRECTORY",
    help="Directory with tokenizers, which a config may name in params.extra.tokenizer by their absolute"
    " paths. May be repeated.",
)


def token_of(file: Path | None) -> str | None:
    source, text = (
        ("--token-file", file.read_text()) if file else (TOKEN_VARIABLE, os.environ.get(TOKEN_VARIABLE))
    )
    if text is None:
        return None
    try:
        return read_token(text)
    except ValueError as error:
        raise typer.BadParameter(f"the token {error}", param_hint=source) from error


def registered_models(models: Path | None) -> dict[str, RegisteredModel]:
    try:
        return read_models(models) if models else {}
    except ValidationError as error:
        raise typer.BadParameter(f"{models}: {all_problems(error)}", param_hint="--models") from error


def harness_of(python: Path | None, tasks: list[Path] | None, tokenizers: list[Path] | None) -> Harness:
    return Harness(
        python=python or Path(sys.executable),
        task_directories=tuple(tasks or ()),
        tokenizer_directories=tuple(tokenizers or ()),
    )
