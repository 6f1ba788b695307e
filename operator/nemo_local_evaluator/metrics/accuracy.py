"""`accuracy`: 1 where the prediction is a reference, but for space around them. Unlike `em`, case counts."""

from collections.abc import Mapping
from typing import Any

from nemo_local_evaluator.metrics.base import Comparison, Scored
from nemo_local_evaluator.templates import Context, TemplateEnvironment


class Accuracy:
    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        self._comparison = Comparison(params, environment)

    def score(self, context: Context) -> Scored:
        prediction, references = self._comparison.render(context)
        matches = prediction.strip() in [reference.strip() for reference in references]
        return Scored({"accuracy": float(matches)})
