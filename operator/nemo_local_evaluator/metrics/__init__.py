"""The metrics of custom tasks, by the type a config names. A new metric is a module here and a line below."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from nemo_local_evaluator.errors import EvaluationError
from nemo_local_evaluator.metrics.base import CorpusScores, Judge, Metric, MetricFactory, Scored
from nemo_local_evaluator.metrics.bleu import Bleu, corpus_bleu
from nemo_local_evaluator.metrics.rouge import Rouge
from nemo_local_evaluator.metrics.squad import F1, ExactMatch
from nemo_local_evaluator.metrics.string_check import StringCheck
from nemo_local_evaluator.templates import TemplateEnvironment

__all__ = ["Judge", "Metric", "Scored", "build_metric", "corpus_scores"]

_METRICS: Mapping[str, MetricFactory] = {
    "bleu": Bleu,
    "em": ExactMatch,
    "f1": F1,
    "rouge": Rouge,
    "string-check": StringCheck,
}

_OF_CORPUS: Mapping[str, CorpusScores] = {"bleu": corpus_bleu}


def build_metric(kind: str, params: Mapping[str, Any], environment: TemplateEnvironment) -> Metric | Judge:
    factory = _METRICS.get(kind)
    if factory is None:
        msg = f"metric type {kind!r} is unknown; known are {', '.join(sorted(_METRICS))}"
        raise EvaluationError(msg)
    try:
        return factory(params, environment)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(["params", *map(str, first["loc"])])
        msg = f"metric {kind!r}: {place}: {first['msg']}"
        raise EvaluationError(msg) from error


def corpus_scores(kind: str, tally: Sequence[float]) -> dict[str, float]:
    """The scores that only all samples together have; `tally` is the sum of theirs."""
    return _OF_CORPUS[kind](tally)
