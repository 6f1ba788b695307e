"""`em` and `f1` as SQuAD defines them: case, punctuation, articles and spacing do not count."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import Final

from typing_extensions import override

from .base import Evidence, ReferenceMetric, Scored

__all__ = ["F1", "ExactMatch", "normalise"]

_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


class ExactMatch(ReferenceMetric):
    @override
    def compare(self, evidence: Evidence) -> Scored:
        prediction, references = evidence
        matches = normalise(prediction) in map(normalise, references)
        return Scored({"em_score": float(matches)})


class F1(ReferenceMetric):
    @override
    def compare(self, evidence: Evidence) -> Scored:
        prediction, references = evidence
        return Scored({"f1_score": max(_token_f1(prediction, reference) for reference in references)})


def _token_f1(prediction: str, reference: str) -> float:
    predicted, expected = normalise(prediction).split(), normalise(reference).split()
    if not predicted or not expected:
        return float(predicted == expected)
    common = (Counter(predicted) & Counter(expected)).total()
    return 2 * common / (len(predicted) + len(expected))
