"""The results of a job as they are kept: one JSON document in a ConfigMap of the job's."""

from __future__ import annotations

import hashlib
from typing import Final

from pydantic import JsonValue
from pydantic_core import to_json

from nemo_eval_operator.evaluator.model import Results
from nemo_eval_operator.json_types import JsonObject

__all__ = [
    "DRY_RUN_LABEL",
    "MAX_DOCUMENT_BYTES",
    "RESULTS_KEY",
    "TRUNCATED_KEY",
    "config_map_names",
    "label_value",
    "results_document",
    "shortened",
]

RESULTS_KEY: Final = "results.json"

TRUNCATED_KEY: Final = "truncated"
"""Key of a kept document from which something was left out: what, and where all of it is."""
"""Key of the results in their ConfigMap."""

DRY_RUN_LABEL: Final = "evaluator.nemo.dev/dry-run"
"""Label of the results of a dry run: a selector with `!` in front of it finds the others."""

MAX_DOCUMENT_BYTES: Final = 900 * 1024
"""A ConfigMap may hold 1 MiB in all; the rest is room for its metadata."""

MAX_NAME_CHARACTERS: Final = 253
MAX_LABEL_CHARACTERS: Final = 63
SUFFIX: Final = "-results"

ROWS_LEFT_OUT: Final = "lists such as rows are left out to fit into a ConfigMap"
SCORES_ONLY: Final = "all but the scores is left out to fit into a ConfigMap"
TOO_LARGE: Final = "the scores alone exceed a ConfigMap"


def config_map_names(job_name: str, *, uid: str, attempt: int, document: str) -> tuple[str, ...]:
    """Names for the ConfigMap that holds `document`, in the order in which they are tried.

    `<job>-results`, from the second attempt `<job>-<attempt>-results`; where that is taken, one with the
    object's uid; and one with the document's digest, which was not known to anyone before the run ended.
    """
    number = "" if attempt == 1 else f"-{attempt}"
    digest = hashlib.sha256(document.encode()).hexdigest()[:16]
    parts = ("", f"-{uid[:8]}", f"-{uid[:8]}-{digest}")
    return tuple(shortened(job_name, f"{part}{number}{SUFFIX}") for part in parts)


def label_value(name: str) -> str:
    """An object's name as the value of a label, which holds less."""
    return shortened(name, "", room=MAX_LABEL_CHARACTERS)


def shortened(name: str, suffix: str, *, room: int = MAX_NAME_CHARACTERS) -> str:
    """Return Return `name` and `suffix`; a long name is cut, and a hash distinguishes it."""
    if len(name) + len(suffix) <= room:
        return name + suffix
    fingerprint = hashlib.sha256(name.encode()).hexdigest()[:8]
    kept = room - len(suffix) - len(fingerprint) - 1
    return f"{name[:kept].rstrip('-.')}-{fingerprint}{suffix}"


def results_document(results: Results, *, url: str) -> tuple[str, bool]:
    """Return the evaluator's own JSON, and whether something was left out of it to fit a ConfigMap.

    What is left out is said in the document itself, under `truncated`, with where all of it is.
    """
    whole = _text(results.document)
    if _fits(whole):
        return whole, False
    parts = {key: _without_lists(part) for key, part in results.document.items()}
    aggregate = _text({**parts, TRUNCATED_KEY: f"{ROWS_LEFT_OUT}; all of it: {url}"})
    if _fits(aggregate):
        return aggregate, True
    scores = _text(
        {
            "job": results.job,
            "tasks": _scores_only(results.tasks),
            "groups": _scores_only(results.groups),
            TRUNCATED_KEY: f"{SCORES_ONLY}; all of it: {url}",
        }
    )
    if _fits(scores):
        return scores, True
    return _text({"job": results.job, TRUNCATED_KEY: f"{TOO_LARGE}; all of it: {url}"}), True


def _fits(text: str) -> bool:
    return len(text.encode()) <= MAX_DOCUMENT_BYTES


def _without_lists(part: JsonValue) -> JsonValue:
    """Rows, samples and what else grows with the data are lists, wherever they stand; scores are not."""
    if not isinstance(part, dict):
        return part
    return {key: _without_lists(value) for key, value in part.items() if not isinstance(value, list)}


def _scores_only(level: JsonObject) -> JsonObject:
    """Return the metrics and scores of tasks or groups, and groups within groups."""
    kept: JsonObject = {}
    for name, entry in level.items():
        if isinstance(entry, dict):
            groups = entry.get("groups")
            nested = {"groups": _scores_only(groups)} if isinstance(groups, dict) and groups else {}
            kept[name] = {"metrics": entry.get("metrics"), **nested}
    return kept


def _text(document: JsonObject) -> str:
    """JSON in the strict sense: what is not a number is null."""
    return to_json(document, indent=1, inf_nan_mode="null").decode()
