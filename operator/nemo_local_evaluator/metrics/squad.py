"""`em` and `f1` as SQuAD defines them: case, punctuation, articles and spacing do not count."""

import re
import string
from collections import Counter
from collections.abc import Mapping
from typing import Any

from nemo_local_evaluator.metrics.base import Comparison, Scored
from nemo_local_evaluator.templates import Context, TemplateEnvironment

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


class ExactMatch:
    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        self._comparison = Comparison(params, environment)

    def score(self, context: Context) -> Scored:
        prediction, references = self._comparison.render(context)
        matches = normalise(prediction) in map(normalise, references)
        return Scored({"em_score": float(matches)})


class F1:
    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        self._comparison = Comparison(params, environment)

    def score(self, context: Context) -> Scored:
        prediction, references = self._comparison.render(context)
        return Scored({"f1_score": max(_token_f1(prediction, reference) for reference in references)})


def _token_f1(prediction: str, reference: str) -> float:
    predicted, expected = normalise(prediction).split(), normalise(reference).split()
    if not predicted or not expected:
        return float(predicted == expected)
    common = (Counter(predicted) & Counter(expected)).total()
    return 2 * common / (len(predicted) + len(expected))
