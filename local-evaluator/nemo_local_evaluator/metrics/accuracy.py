"""`accuracy`: 1 where the prediction is a reference, but for space around them. Unlike `em`, case counts."""

from typing_extensions import override

from nemo_local_evaluator.metrics.base import Evidence, ReferenceMetric, Scored


class Accuracy(ReferenceMetric):
    @override
    def compare(self, evidence: Evidence) -> Scored:
        prediction, references = evidence
        matches = prediction.strip() in [reference.strip() for reference in references]
        return Scored({"accuracy": float(matches)})
