"""`rouge` by Google's rouge_score, without stemming: the F-measure of the best reference, 0 to 1."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from nemo_local_evaluator.metrics.base import Comparison, Scored
from nemo_local_evaluator.templates import Context, TemplateEnvironment

_VARIANTS = {
    "rouge1": "rouge_1_score",
    "rouge2": "rouge_2_score",
    "rouge3": "rouge_3_score",
    "rougeL": "rouge_L_score",
}


class Rouge:
    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        self._comparison = Comparison(params, environment)

    @cached_property
    def _scorer(self) -> Any:
        # Imported by the thread that scores first: it brings nltk, and seconds of import would halt the API.
        from rouge_score.rouge_scorer import RougeScorer  # noqa: PLC0415

        return RougeScorer(list(_VARIANTS))

    def score(self, context: Context) -> Scored:
        prediction, references = self._comparison.render(context)
        by_variant = self._scorer.score_multi(references, prediction)
        return Scored({name: float(by_variant[variant].fmeasure) for variant, name in _VARIANTS.items()})
