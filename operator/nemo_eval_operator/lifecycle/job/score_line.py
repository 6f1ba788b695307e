"""The SCORE column of `kubectl get`: the scores that people compare, in one short line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from nemo_eval_operator.evaluator.model import readable
from nemo_eval_operator.resources import Score

__all__ = ["partly", "summary_of"]

MAX_SCORES: Final = 3
MAX_CHARACTERS: Final = 39

RANKED: Final = re.compile(r"(?P<task>.+)-metric_ranking-(?P<rank>\d+)")
"""Names of lm-eval's scores in NeMo, two for each filter: the value and its standard error."""


def summary_of(scores: Sequence[Score]) -> str | None:
    """Return the first scores, as in `em=0.45 f1=0.61 +2 more`; None without scores.

    Standard errors are left out. A value that stands on some rows only says on how many.
    """
    compared = [score for score in scores if not _is_error(score)] or list(scores)
    if not compared:
        return None
    lines = [_line(compared, labels) for labels in (_full_labels(compared), _short_labels(compared))]
    fitting = [(shown, text) for shown, text in lines if len(text) <= MAX_CHARACTERS]
    if fitting:
        return max(fitting, key=lambda line: line[0])[1]
    return _line(compared, _short_labels(compared), cut=True)[1]


def partly(score: Score) -> str | None:
    """Return `1 of 4` where the value covers fewer rows than were evaluated; else None."""
    if not score.nan_count or score.count is None:
        return None
    return f"{score.count} of {score.count + score.nan_count}"


def _is_error(score: Score) -> bool:
    return any(name.lower().endswith(("stderr", "std_err")) for name in (score.metric, score.score))


def _line(scores: Sequence[Score], labels: Sequence[str], *, cut: bool = False) -> tuple[int, str]:
    """Return as many scores as fit, at least one, and their number."""

    def text(shown: int, shorten: Callable[[str], str]) -> str:
        parts = [f"{shorten(label)}={_value(score)}" for label, score in zip(labels, scores, strict=True)]
        more = len(scores) - shown
        return " ".join([*parts[:shown], *([f"+{more} more"] if more else [])])

    for shown in range(min(MAX_SCORES, len(scores)), 1, -1):
        if len(line := text(shown, str)) <= MAX_CHARACTERS:
            return shown, line
    if not cut:
        return 1, text(1, str)
    room = max(MAX_CHARACTERS - len(text(1, lambda _: "")), 1)
    return 1, text(1, lambda label: label if len(label) <= room else label[: room - 1] + "…")


def _value(score: Score) -> str:
    stands_on = partly(score)
    return f"{score.value:.4g}" + (f" ({stands_on})" if stands_on else "")


def _full_labels(scores: Sequence[Score]) -> list[str]:
    """The metric, and what distinguishes its scores where it has several."""
    of_metric = Counter((score.task, score.group, score.metric) for score in scores)
    tasks = {found["task"] for score in scores if (found := RANKED.fullmatch(score.score))}

    def label(score: Score) -> str:
        metric = score.metric.removeprefix("retriever.")
        ranked = RANKED.fullmatch(score.score)
        if ranked and len(tasks) > 1:
            return ranked["task"]
        if score.metric == score.group:
            return score.score
        if of_metric[score.task, score.group, score.metric] == 1:
            return metric
        if ranked:
            return f"{metric}#{ranked['rank']}"
        return score.score if score.score.startswith(metric) else f"{metric}.{score.score}"

    return [readable(label(score), MAX_CHARACTERS * 2) for score in scores]


def _short_labels(scores: Sequence[Score]) -> list[str]:
    """The names of a metric's several scores without that of the metric, where each is another."""
    full = _full_labels(scores)
    bare = [
        readable(score.score, MAX_CHARACTERS * 2) if label.endswith(f".{score.score}") else label
        for score, label in zip(scores, full, strict=True)
    ]
    names = Counter(bare)
    return [name if names[name] == 1 else label for name, label in zip(bare, full, strict=True)]
