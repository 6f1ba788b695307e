"""`rouge` by Google's rouge_score, without stemming: the F-measure of the best reference, 0 to 1.

The library fills a table of one cell for each pair of words for rougeL, which takes minutes and gigabytes for
texts of 8,000 words. Here the length of the longest common subsequence is found with one bit for each word
of a row (Hyyro, "Bit-parallel LCS-length computation revisited", 2004): the same number, much sooner.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from typing_extensions import override

from nemo_local_evaluator.wire.errors import SampleFailed

from .base import Evidence, ReferenceMetric, Scored

__all__ = ["MAX_WORDS", "Rouge", "common_length"]

_NGRAMS: Final = {"rouge1": "rouge_1_score", "rouge2": "rouge_2_score", "rouge3": "rouge_3_score"}
_LONGEST: Final = "rouge_L_score"

MAX_WORDS: Final = 50_000
"""Limit for one text; two such texts take about a second."""


class Rouge(ReferenceMetric):
    @cached_property
    def _scorer(self) -> Any:
        # Imported by the thread that scores first: it brings nltk, and seconds of import would halt the API.
        from rouge_score.rouge_scorer import RougeScorer  # noqa: PLC0415

        return RougeScorer(list(_NGRAMS))

    @cached_property
    def _tokenizer(self) -> Any:
        from rouge_score.tokenizers import DefaultTokenizer  # noqa: PLC0415

        return DefaultTokenizer(use_stemmer=False)

    @override
    def compare(self, evidence: Evidence) -> Scored:
        predicted = self._words(evidence.prediction)
        references = [self._words(reference) for reference in evidence.references]
        by_variant = self._scorer.score_multi(evidence.references, evidence.prediction)
        scores = {name: float(by_variant[variant].fmeasure) for variant, name in _NGRAMS.items()}
        scores[_LONGEST] = max(_longest_common(predicted, reference) for reference in references)
        return Scored(scores)

    def _words(self, text: str) -> list[str]:
        words: list[str] = self._tokenizer.tokenize(text)
        if len(words) > MAX_WORDS:
            raise SampleFailed(
                f"ROUGE is for texts of at most {MAX_WORDS:,} words, and this one has {len(words):,}"
            )
        return words


def _longest_common(predicted: list[str], expected: list[str]) -> float:
    """Return rougeL's F-measure."""
    if not predicted or not expected:
        return 0.0
    length = common_length(predicted, expected)
    precision, recall = length / len(predicted), length / len(expected)
    return 2 * precision * recall / (precision + recall) if length else 0.0


def common_length(one: list[str], other: list[str]) -> int:
    """Return the length of the longest common subsequence."""
    places: dict[str, int] = dict.fromkeys(other, 0)
    for index, word in enumerate(one):
        if word in places:
            places[word] |= 1 << index
    every = (1 << len(one)) - 1
    # A bit is cleared for each word by which the subsequence of the words so far is longer.
    rest = every
    for word in other:
        matching = rest & places[word]
        rest = ((rest + matching) | (rest - matching)) & every
    return len(one) - rest.bit_count()
