"""`bleu` by sacrebleu, 0 to 100: `sentence` is the mean over samples, `corpus` is all of them at once."""

from collections.abc import Mapping, Sequence
from typing import Any

import sacrebleu

from nemo_local_evaluator.metrics.base import Comparison, Evidence, Scored
from nemo_local_evaluator.templates import Context, TemplateEnvironment


class Bleu:
    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        self._comparison = Comparison(params, environment)

    def score(self, context: Context) -> Scored:
        evidence = self._comparison.render(context)
        bleu = sacrebleu.sentence_bleu(evidence.prediction, evidence.references)
        return Scored({"sentence": float(bleu.score)}, evidence)

    def corpus(self, evidence: Sequence[Evidence]) -> dict[str, float]:
        predictions = [sample.prediction for sample in evidence]
        # sacrebleu wants one stream of texts per reference, not the references of each text.
        streams = [list(stream) for stream in zip(*(sample.references for sample in evidence), strict=True)]
        return {"corpus": float(sacrebleu.corpus_bleu(predictions, streams).score)}
