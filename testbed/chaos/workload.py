"""The jobs that are created all the while: of each kind, what it is and what is done to it on its way."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from testbed.chaos.model import ENDLESS, STEADY

__all__ = ["BENCHMARKS", "KINDS", "QUESTIONS", "Act", "Kind", "manifest_of"]

_API: Final = {"apiVersion": "evaluator.nemo.dev/v1alpha1"}
QUESTIONS: Final = [
    {"question": "Capital of France?", "answer": "Paris", "output": "Paris"},
    {"question": "Capital of Italy?", "answer": "Rome", "output": "Milan"},
]
"""Rows with outputs; without those, the dataset of `chat`."""


class Act(StrEnum):
    """What a person does to a job some time after it was created."""

    NOTHING = "nothing"
    CANCEL = "cancel"
    DELETE = "delete"
    RESUME = "resume"
    RERUN = "rerun"


@dataclass(frozen=True)
class Kind:
    """Jobs of one sort. `act` comes `after` seconds."""

    name: str
    benchmark: str
    spec: dict[str, Any]
    act: Act = Act.NOTHING
    after: float = 0.0


_ROWS: Final[dict[str, Any]] = {"target": {"type": "rows", "rows": QUESTIONS}}

_SCORE: Final = "qa/exact/string-check"
_MANY: Final[dict[str, Any]] = {
    "target": {
        "type": "rows",
        "rows": [{"question": f"{n}?", "answer": "yes", "output": "yes"} for n in range(40)],
    }
}
"""Rows that are all right, and enough of them to show that no more than 0.2 was lost."""


def _floor(minimum: float) -> dict[str, Any]:
    return {"gate": {"criteria": [{"score": _SCORE, "minimum": minimum}]}}


_COMPARED: Final[dict[str, Any]] = {
    "gate": {
        "baseline": {"selector": {"matchLabels": {"kind": "compared"}}},
        "ifNoBaseline": "Skip",
        "criteria": [{"score": _SCORE, "minimum": 0.9, "maxDrop": 0.2}],
    }
}

KINDS: Final = (
    Kind("quick", "rows", _ROWS),
    Kind("steady", "chat", {"model": STEADY}),
    Kind("brief", "rows", {**_ROWS, "ttlSecondsAfterFinished": 1}),
    Kind("waiting", "rows", {**_ROWS, "suspend": True}, Act.RESUME, 3.0),
    Kind("traceless", "rows", {**_ROWS, "deletionPolicy": "Delete"}, Act.DELETE, 4.0),
    Kind("cancelled", "chat", {"model": ENDLESS}, Act.CANCEL, 3.0),
    Kind("deleted", "chat", {"model": ENDLESS}, Act.DELETE, 3.0),
    Kind("overdue", "chat", {"model": ENDLESS, "activeDeadlineSeconds": 2}),
    Kind("repeated", "rows", _ROWS, Act.RERUN, 4.0),
    Kind("regretted", "rows", _ROWS, Act.DELETE, 0.3),
    Kind("admitted", "rows", {**_ROWS, **_floor(0.4)}),
    Kind("barred", "rows", {**_ROWS, **_floor(0.9)}),
    Kind("compared", "rows", {**_MANY, **_COMPARED}),
)


def _benchmark(name: str, task: dict[str, Any], answer: str) -> dict[str, Any]:
    check = [answer, "equals", "{{item.answer}}"]
    metrics = {"exact": {"type": "string-check", "params": {"check": check}}}
    config = {"type": "custom", "params": {"parallelism": 1}, "tasks": {"qa": {**task, "metrics": metrics}}}
    return {**_API, "kind": "NemoBenchmark", "metadata": {"name": name}, "spec": {"config": config}}


BENCHMARKS: Final = (
    _benchmark("rows", {"type": "data"}, "{{item.output}}"),
    _benchmark(
        "chat",
        {
            "type": "chat-completion",
            "params": {"template": {"messages": [{"role": "user", "content": "{{item.question}}"}]}},
            "dataset": {"files_url": "file://questions.jsonl"},
        },
        "{{sample.output_text}}",
    ),
)


def manifest_of(kind: Kind, number: int) -> dict[str, Any]:
    """The object, by a name of its own."""
    metadata = {"name": f"{kind.name}-{number}", "labels": {"kind": kind.name}}
    spec = {"benchmarkRef": {"name": kind.benchmark}, **kind.spec}
    return {**_API, "kind": "NemoEvalJob", "metadata": metadata, "spec": spec}
