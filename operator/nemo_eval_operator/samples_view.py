"""The samples of a results document: input, reference, output and scores of each.

The evaluation types name their columns differently. Rows are free-form, so the reference is looked for
under the names that NVIDIA's documentation uses.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject

__all__ = ["ViewedSample", "as_csv", "csv_text", "samples_of"]

REFERENCES: Final = (
    *("reference", "reference_answer", "ideal_response", "expected", "expected_answer", "answer", "target"),
    *("label", "ground_truth", "ground_truths", "reference_tool_calls", "tool_calls"),
)
"""Names of the column that holds the reference (the expected answer); the first that a row has is taken."""


FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""Characters by which spreadsheets recognise a formula (OWASP, CSV injection)."""

PLAIN_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, kw_only=True)
class ViewedSample:
    """One sample; texts are as the evaluator sent them."""

    task: str
    index: str
    input: str
    reference: str | None
    output: str | None
    scores: Mapping[str, float | None]
    """By metric, or METRIC.SCORE where their names differ; None: it could not be computed."""
    error: str | None

    @property
    def is_wrong(self) -> bool:
        """Whether it has an error, or a score that is 0 or could not be computed."""
        return self.error is not None or any(not score for score in self.scores.values())


def samples_of(document: JsonObject) -> dict[str, list[ViewedSample]]:
    """Return the samples that the document holds, by task."""
    tasks = document.get("tasks")
    found: dict[str, list[ViewedSample]] = {}
    for name, task in tasks.items() if isinstance(tasks, dict) else ():
        match task:
            case {"data": {"samples": [*entries]}}:
                found[name] = [_sample(name, number, entry) for number, entry in enumerate(entries)]
            case _:
                pass
    return found


def as_csv(samples: Sequence[ViewedSample]) -> str:
    """Return a table with a heading: a line for each sample, a column for each score."""
    names = list(dict.fromkeys(name for sample in samples for name in sample.scores))
    headings = ["task", "index", "input", "reference", "output", *names, "error"]
    rows = [
        [
            *(sample.task, sample.index, sample.input, sample.reference, sample.output),
            *(sample.scores.get(name) for name in names),
            sample.error,
        ]
        for sample in samples
    ]
    return csv_text(headings, rows)


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> str:
    """Return a table as CSV; texts that a spreadsheet would take for a formula begin with an apostrophe."""
    text = io.StringIO()
    # All texts are quoted: else the writer leaves a carriage return as it is, which ends a row to readers.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([_cell(heading) for heading in headings])
    for row in rows:
        writer.writerow([cell if isinstance(cell, int | float) else _cell(cell or "") for cell in row])
    return text.getvalue()


def _cell(text: str) -> str:
    is_formula = text.startswith(FORMULA_STARTS) and not PLAIN_NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text


def _sample(task: str, number: int, entry: JsonValue) -> ViewedSample:
    fields: JsonObject = entry if isinstance(entry, dict) else {"item": entry}
    item = fields.get("item")
    row: JsonObject = item if isinstance(item, dict) else {"": item}
    error = fields.get("error")
    return ViewedSample(
        task=task,
        index=_text(fields.get("index", number)) or "",
        input=_text(next(iter(_columns(row)), (None, None))[1]) or "",
        reference=_reference(fields, row),
        output=_text(fields.get("output_text", fields.get("filtered_responses"))),
        scores=dict(_scores(fields.get("scores"))),
        error=_text(error),
    )


def _columns(row: JsonObject) -> Iterator[tuple[str, JsonValue]]:
    """The columns of a row; those of a recorded output are below `input`."""
    inner = row.get("input")
    yield from (inner if isinstance(inner, dict) else row).items()
    if isinstance(inner, dict):
        yield from row.items()


def _reference(fields: JsonObject, row: JsonObject) -> str | None:
    if "target" in fields:
        return _text(fields["target"])
    columns = dict(_columns(row))
    return next((_text(columns[name]) for name in REFERENCES if name in columns), None)


def _scores(metrics: JsonValue) -> Iterator[tuple[str, float | None]]:
    for metric, scores in metrics.items() if isinstance(metrics, dict) else ():
        if not isinstance(scores, dict):
            yield metric, _number(scores)
            continue
        for name, value in scores.items():
            yield (metric if len(scores) == 1 else f"{metric}.{name}"), _number(value)


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _text(value: JsonValue) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
