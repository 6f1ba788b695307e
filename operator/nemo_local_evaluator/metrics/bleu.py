"""`bleu` by sacrebleu, 0 to 100: `sentence` is the mean over samples, `corpus` is all of them at once.

Evaluations of type similarity_metrics have one score, `bleu_score`: a sample's own, the task's the corpus's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sacrebleu
from sacrebleu.metrics.bleu import BLEU, MAX_NGRAM_ORDER

from nemo_local_evaluator.metrics.base import Comparison, Scored
from nemo_local_evaluator.templates import Context, TemplateEnvironment


class Bleu:
    name = "sentence"

    def __init__(self, params: Mapping[str, Any], environment: TemplateEnvironment) -> None:
        self._comparison = Comparison(params, environment)

    def score(self, context: Context) -> Scored:
        evidence = self._comparison.render(context)
        bleu = sacrebleu.sentence_bleu(evidence.prediction, evidence.references)
        return Scored(
            {self.name: float(bleu.score)}, tally=(*bleu.counts, *bleu.totals, bleu.sys_len, bleu.ref_len)
        )


class SimilarityBleu(Bleu):
    name = "bleu_score"


def corpus_bleu(tally: Sequence[float]) -> float:
    """From the n-grams that all sentences have in common with their references, and have at all."""
    counts, totals = tally[:MAX_NGRAM_ORDER], tally[MAX_NGRAM_ORDER : 2 * MAX_NGRAM_ORDER]
    sys_len, ref_len = tally[2 * MAX_NGRAM_ORDER :]
    bleu = BLEU.compute_bleu(
        correct=[int(count) for count in counts],
        total=[int(total) for total in totals],
        sys_len=int(sys_len),
        ref_len=int(ref_len),
        smooth_method="exp",
    )
    return float(bleu.score)
