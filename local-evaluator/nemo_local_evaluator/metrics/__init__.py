"""The metrics, by the type a config names. A new metric is a module here and a line below."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from nemo_local_evaluator.templating import TemplateEnvironment
from nemo_local_evaluator.wire.errors import EvaluationError
from nemo_local_evaluator.wire.problems import first_problem

from .accuracy import Accuracy
from .base import (
    CorpusScore,
    Judge,
    Metric,
    MetricFactory,
    ReferenceMetric,
    Scored,
)
from .bleu import Bleu, SimilarityBleu, corpus_bleu, similarity_bleu
from .llm_judge import LlmJudge
from .number_check import NumberCheck
from .ranking import Ranking
from .rouge import Rouge
from .squad import F1, ExactMatch
from .string_check import StringCheck
from .tool_call_accuracy import ToolCallAccuracy
from .tool_calling import ToolCalling

__all__ = [
    "JUDGE",
    "RANKING",
    "SIMILARITY_BLEU",
    "TOOL_CALL_ACCURACY",
    "Judge",
    "Metric",
    "ReferenceMetric",
    "Scored",
    "build_metric",
    "corpus_scores",
]

JUDGE: Final = "llm-judge"
RANKING: Final = "retriever.ranking"
SIMILARITY_BLEU: Final = "similarity_metrics.bleu"
TOOL_CALL_ACCURACY: Final = "agentic.tool_call_accuracy"

_OF_CUSTOM_TASKS: Final[Mapping[str, MetricFactory]] = {
    "accuracy": Accuracy,
    "bleu": Bleu,
    "em": ExactMatch,
    "f1": F1,
    JUDGE: LlmJudge,
    "number-check": NumberCheck,
    "rouge": Rouge,
    "string-check": StringCheck,
    "tool-calling": ToolCalling,
}
_OF_OTHER_EVALUATIONS: Final[Mapping[str, MetricFactory]] = {
    RANKING: Ranking,
    SIMILARITY_BLEU: SimilarityBleu,
    TOOL_CALL_ACCURACY: ToolCallAccuracy,
}
_FACTORIES: Final = {**_OF_CUSTOM_TASKS, **_OF_OTHER_EVALUATIONS}

_OF_CORPUS: Final[Mapping[str, tuple[str, CorpusScore]]] = {
    "bleu": ("corpus", corpus_bleu),
    SIMILARITY_BLEU: (SimilarityBleu.name, similarity_bleu),
}


def build_metric(kind: str, params: Mapping[str, Any], environment: TemplateEnvironment) -> Metric | Judge:
    """Return the metric or judge of this kind. Raise EvaluationError."""
    factory = _FACTORIES.get(kind)
    if factory is None:
        raise EvaluationError(f"metric type {kind!r} is unknown; known are {', '.join(_OF_CUSTOM_TASKS)}")
    try:
        return factory(params, environment)
    except ValidationError as error:
        raise EvaluationError(f"metric {kind!r}: {first_problem(error, within='params')}") from error


def corpus_scores(kind: str, tally: Sequence[float]) -> dict[str, float]:
    """The scores that only all samples together have; `tally` is the sum of theirs."""
    name, score = _OF_CORPUS[kind]
    return {name: score(tally)}
