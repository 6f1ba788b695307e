"""Each metric against the library or the formula that defines it, on random texts."""

import math
import re
import statistics
import string
from typing import Any

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from nemo_local_evaluator.evaluations.statistics import RunningStatistics
from nemo_local_evaluator.metrics import Scored, build_metric, corpus_scores
from nemo_local_evaluator.templating import TemplateEnvironment, context_for

REFERENCES = {"references": ["{{item.first}}", "{{item.second}}"]}
ROUGE = {
    "rouge1": "rouge_1_score",
    "rouge2": "rouge_2_score",
    "rouge3": "rouge_3_score",
    "rougeL": "rouge_L_score",
}

unhurried = settings(max_examples=50, deadline=None)
"""The machine may be busy; what is tested is not the time."""

# Few words, so that texts have some in common; with what tokenizers and normalisation care about.
WORDS = st.sampled_from(
    ["a", "the", "The", "dog", "dog,", "bit", "man's", "3.5", "naïve", "犬", "-", "don't"]
)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)
SAMPLES = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=6)


def scored(kind: str, sample: tuple[str, str, str]) -> Scored:
    answer, first, second = sample
    metric: Any = build_metric(kind, REFERENCES, TemplateEnvironment())
    context = context_for({"first": first, "second": second}, {"output_text": answer})
    scored: Scored = metric.score(context)
    return scored


@unhurried
@given(SAMPLES)
def test_bleu_is_sacrebleu_s_for_sentences_and_for_the_corpus_by_its_tallies(
    samples: list[tuple[str, str, str]],
) -> None:
    tallies = []
    for sample in samples:
        answer, *references = sample
        bleu = scored("bleu", sample)
        assert bleu.scores["sentence"] == sacrebleu.sentence_bleu(answer, references).score
        assert bleu.tally is not None
        tallies.append(bleu.tally)
    answers, first, second = zip(*samples, strict=True)
    corpus = corpus_scores("bleu", [sum(column) for column in zip(*tallies, strict=True)])
    assert corpus == {"corpus": sacrebleu.corpus_bleu(answers, [first, second]).score}


@unhurried
@given(SAMPLES)
def test_rouge_is_google_s(samples: list[tuple[str, str, str]]) -> None:
    scorer = RougeScorer(list(ROUGE))
    for sample in samples:
        answer, *references = sample
        best = scorer.score_multi(references, answer)
        assert scored("rouge", sample).scores == {ROUGE[name]: best[name].fmeasure for name in ROUGE}


def squad_normalised(text: str) -> list[str]:
    """SQuAD's rules in its own order: lower case, no punctuation, no articles, single spaces."""
    kept = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def squad_f1(answer: str, reference: str) -> float:
    predicted, expected = squad_normalised(answer), squad_normalised(reference)
    common = sum(min(predicted.count(word), expected.count(word)) for word in set(predicted))
    if not predicted or not expected:
        return float(predicted == expected)
    if not common:
        return 0.0
    precision, recall = common / len(predicted), common / len(expected)
    return 2 * precision * recall / (precision + recall)


@unhurried
@given(SAMPLES)
def test_em_and_f1_are_squad_s(samples: list[tuple[str, str, str]]) -> None:
    for sample in samples:
        answer, *references = sample
        exact = squad_normalised(answer) in [squad_normalised(reference) for reference in references]
        best = max(squad_f1(answer, reference) for reference in references)
        assert scored("em", sample).scores == {"em_score": float(exact)}
        assert scored("f1", sample).scores == {"f1_score": pytest.approx(best)}


@unhurried
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50),
    st.sampled_from([0.0, 1.0, 1e9, -1e12]),
)
def test_statistics_are_python_s(values: list[float], offset: float) -> None:
    values = [offset + value for value in values]
    running = RunningStatistics()
    for value in values:
        running.add(value)
    score = running.score(nan_count=3)
    stats = score["stats"]

    def near(value: float) -> Any:
        """As near as floats of that size can be."""
        return pytest.approx(value, rel=1e-9, abs=1e-9 + abs(offset) * 1e-12)

    assert stats["count"] == len(values)
    assert stats["nan_count"] == 3
    assert stats["sum"] == near(math.fsum(values))
    assert stats["sum_squared"] == near(math.fsum(value * value for value in values))
    assert score["value"] == stats["mean"] == near(statistics.fmean(values))
    assert (stats["min"], stats["max"]) == (min(values), max(values))
    # Each of 50 means is off by half a unit in the last place of the offset, at most.
    off = 1e-14 * abs(offset)
    allowed = off * (statistics.pstdev(values) + off) + 1e-9
    assert stats["variance"] == pytest.approx(statistics.pvariance(values), rel=1e-9, abs=allowed)
    assert stats["stddev"] == math.sqrt(stats["variance"])
    assert stats["stderr"] == pytest.approx(stats["stddev"] / math.sqrt(len(values)))


def test_a_large_offset_costs_no_digit_of_the_variance() -> None:
    running = RunningStatistics()
    for value in (1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16):
        running.add(value)
    assert running.score(nan_count=0)["stats"]["variance"] == 22.5


def test_many_small_values_are_summed_exactly() -> None:
    running = RunningStatistics()
    for _ in range(100_000):
        running.add(0.1)
    stats = running.score(nan_count=0)["stats"]
    assert stats["sum"] == math.fsum([0.1] * 100_000)
    assert stats["variance"] == pytest.approx(0, abs=1e-18)
