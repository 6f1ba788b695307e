"""The metrics, by the type a config names. A new metric is a module here and a line below."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from nemo_local_evaluator.metrics.accuracy import Accuracy
from nemo_local_evaluator.metrics.base import (
    CorpusScore,
    Judge,
    Metric,
    MetricFactory,
    ReferenceMetric,
    Scored,
    first_problem,
)
from nemo_local_evaluator.metrics.bleu import Bleu, SimilarityBleu, corpus_bleu, similarity_bleu
from nemo_local_evaluator.metrics.llm_judge import LlmJudge
from nemo_local_evaluator.metrics.number_check import NumberCheck
from nemo_local_evaluator.metrics.ranking import Ranking
from nemo_local_evaluator.metrics.rouge import Rouge
from nemo_local_evaluator.metrics.squad import F1, ExactMatch
from nemo_local_evaluator.metrics.string_check import StringCheck
from nemo_local_evaluator.metrics.tool_call_accuracy import ToolCallAccuracy
from nemo_local_evaluator.metrics.tool_calling import ToolCalling
from nemo_local_evaluator.templating import TemplateEnvironment
from nemo_local_evaluator.wire.errors import EvaluationError

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
    "first_problem",
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
    """Raises EvaluationError."""
    factory = _FACTORIES.get(kind)
    if factory is None:
        msg = f"metric type {kind!r} is unknown; known are {', '.join(_OF_CUSTOM_TASKS)}"
        raise EvaluationError(msg)
    try:
        return factory(params, environment)
    except ValidationError as error:
        msg = f"metric {kind!r}: {first_problem(error, within='params')}"
        raise EvaluationError(msg) from error


def corpus_scores(kind: str, tally: Sequence[float]) -> dict[str, float]:
    """The scores that only all samples together have; `tally` is the sum of theirs."""
    name, score = _OF_CORPUS[kind]
    return {name: score(tally)}
