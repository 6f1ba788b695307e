"""`accuracy`: 1 where the prediction is a reference, but for space around them. Unlike `em`, case counts."""

from __future__ import annotations

from typing_extensions import override

from .base import Evidence, ReferenceMetric, Scored

__all__ = ["Accuracy"]


class Accuracy(ReferenceMetric):
    @override
    def compare(self, evidence: Evidence) -> Scored:
        prediction, references = evidence
        matches = prediction.strip() in [reference.strip() for reference in references]
        return Scored({"accuracy": float(matches)})
