"""`rouge` by Google's rouge_score, without stemming: the F-measure of the best reference, 0 to 1."""

from collections.abc import Mapping
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
        # Imported on first use: it brings nltk, which takes longer to import than all the rest together.
        from rouge_score.rouge_scorer import RougeScorer  # noqa: PLC0415

        self._comparison = Comparison(params, environment)
        self._scorer = RougeScorer(list(_VARIANTS))

    def score(self, context: Context) -> Scored:
        prediction, references = self._comparison.render(context)
        by_variant = self._scorer.score_multi(references, prediction)
        return Scored({name: float(by_variant[variant].fmeasure) for variant, name in _VARIANTS.items()})
