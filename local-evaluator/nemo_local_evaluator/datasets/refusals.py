"""The words in which a dataset is refused: always with the file's name, and with the row's number."""

from __future__ import annotations

from nemo_local_evaluator.wire.bounds import MAX_PARTS
from nemo_local_evaluator.wire.errors import EvaluationError

from .row import MAX_ROW_BYTES

__all__ = ["bad_file", "bad_row", "not_utf8", "too_large", "too_many_values"]


def bad_file(name: str, what: str) -> EvaluationError:
    return EvaluationError(f"dataset {name!r} {what}")


def bad_row(name: str, number: int, what: str) -> EvaluationError:
    """`number` counts rows of data from 1: no header, no empty line."""
    return EvaluationError(f"dataset {name!r}, row {number} {what}")


def too_large(name: str, number: int) -> EvaluationError:
    return bad_row(name, number, f"is larger than {MAX_ROW_BYTES // 1024**2} MiB")


def too_many_values(name: str, number: int, most: int = MAX_PARTS) -> EvaluationError:
    return bad_row(name, number, f"has more than {most:,} objects, lists and values")


def not_utf8(name: str, number: int, error: UnicodeDecodeError) -> EvaluationError:
    return bad_row(name, number, f"is not UTF-8: {error.reason} {error.object[error.start]:#04x}")
