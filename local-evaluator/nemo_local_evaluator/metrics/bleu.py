"""`bleu` by sacrebleu, 0 to 100: `sentence` is the mean over samples, `corpus` is all of them at once.

Evaluations of type similarity_metrics have one score, `bleu_score`, 0 to 1 as NVIDIA's server reports it:
each sample's own, and the corpus's for the task.

All are smoothed as sacrebleu does by default ("exp": the first n-gram length without a match counts as half a
match, the next as a quarter, ...). A sample's score and the task's `bleu_score` also leave out the n-gram
lengths for which the answers are too short (sacrebleu's effective order). Otherwise an answer of one word,
which has no pair of words, would score 0 even where it equals the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sacrebleu
from sacrebleu.metrics.bleu import BLEU, MAX_NGRAM_ORDER
from typing_extensions import override

from .base import Evidence, ReferenceMetric, Scored

__all__ = ["Bleu", "SimilarityBleu", "corpus_bleu", "similarity_bleu"]


class Bleu(ReferenceMetric):
    name = "sentence"

    @override
    def compare(self, evidence: Evidence) -> Scored:
        bleu = sacrebleu.sentence_bleu(evidence.prediction, evidence.references)
        return Scored(
            {self.name: float(bleu.score)}, tally=(*bleu.counts, *bleu.totals, bleu.sys_len, bleu.ref_len)
        )


class SimilarityBleu(Bleu):
    name = "bleu_score"

    @override
    def compare(self, evidence: Evidence) -> Scored:
        scored = super().compare(evidence)
        return replace(scored, scores={name: _fraction(score) for name, score in scored.scores.items()})


def corpus_bleu(tally: Sequence[float]) -> float:
    """Return the corpus's BLEU from the counts of n-grams, matched and total, of all sentences."""
    return _corpus_bleu(tally, effective_order=False)


def similarity_bleu(tally: Sequence[float]) -> float:
    """The same by effective order, as a fraction."""
    return _fraction(_corpus_bleu(tally, effective_order=True))


def _fraction(percent: float) -> float:
    # sacrebleu's logarithms make 100.00000000000004 of equal texts.
    return min(percent / 100, 1.0)


def _corpus_bleu(tally: Sequence[float], *, effective_order: bool) -> float:
    counts, totals = tally[:MAX_NGRAM_ORDER], tally[MAX_NGRAM_ORDER : 2 * MAX_NGRAM_ORDER]
    sys_len, ref_len = tally[2 * MAX_NGRAM_ORDER :]
    bleu = BLEU.compute_bleu(
        correct=[int(count) for count in counts],
        total=[int(total) for total in totals],
        sys_len=int(sys_len),
        ref_len=int(ref_len),
        smooth_method="exp",
        effective_order=effective_order,
    )
    return float(bleu.score)
