"""Values are found wherever they stand, in every form, at a cost that does not depend on their number."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator

import pytest
from typing_extensions import override

from nemo_eval_operator.evaluator.model.secret_search import SecretIndex, forms_of, masked

ALPHABET = string.ascii_letters + string.digits + "-_+/=."


def token(number: int, length: int = 40) -> str:
    return "".join(random.Random(number).choices(ALPHABET, k=length))  # noqa: S311 - a test's


class CountingText(str):
    """A text that counts how often a part of it is looked at."""

    __slots__ = ()
    looks = 0

    @override
    def __getitem__(self, key: object) -> str:
        type(self).looks += 1
        return super().__getitem__(key)  # type: ignore[index]


@pytest.mark.parametrize("length", [6, 7, 9, 10, 15, 16, 17, 20, 21, 40])
@pytest.mark.parametrize("before", range(12))
def test_a_value_is_found_at_every_place(length: int, before: int) -> None:
    value = token(length, length)
    index = SecretIndex([value, token(1), token(2, 8)])
    text = "é" * before + value + "!" * before
    assert masked(text, index.spans(text)) == "é" * before + "******" + "!" * before


@pytest.mark.parametrize("seed", range(20))
def test_the_index_finds_what_a_plain_search_finds(seed: int) -> None:
    """Few letters, so that values overlap, contain each other and end alike."""
    choose = random.Random(seed)  # noqa: S311 - a test's
    values = {"".join(choose.choices("ab", k=choose.randrange(6, 30))) for _ in range(20)}
    index = SecretIndex(values)
    text = "".join(choose.choices("ab", k=3_000))
    covered = [False] * len(text)
    for form in {form for value in values for form in forms_of(value)}:
        begin = text.find(form)
        while begin >= 0:
            covered[begin : begin + len(form)] = [True] * len(form)
            begin = text.find(form, begin + 1)
    found = [False] * len(text)
    for begin, end in index.spans(text):
        found[begin:end] = [True] * (end - begin)
    assert found == covered


@pytest.mark.parametrize("count", [1, 64, 1_024])
def test_a_search_costs_the_same_however_many_values_there_are(count: int) -> None:
    index = SecretIndex(token(number) for number in range(count))
    text = CountingText("All of the model's answers are texts such as this one. " * 4_000)
    CountingText.looks = 0
    assert index.spans(text) == []
    assert CountingText.looks <= len(text) / 4 + len(text) / 5, "a look at every fourth and fifth character"


def test_no_choice_of_values_makes_a_search_slow() -> None:
    """Values that all end alike, in a text that has this end everywhere."""
    end = token(1, 16)
    values = ["x" * number + end for number in range(1, 200)]
    index = SecretIndex(values)
    text = CountingText(end * 5_000)
    CountingText.looks = 0
    hidden = masked(text, index.spans(text))
    assert CountingText.looks < 5 * len(text)
    assert len(hidden) <= len(text)


def churn() -> Iterator[str]:
    yield from (token(number) for number in range(1_000))


def test_what_is_removed_is_neither_found_nor_kept() -> None:
    index = SecretIndex(["stays-there-7d21a"])
    before = index.windows
    for value in churn():
        index.add(value)
        index.remove(value)
    assert len(index) == 1
    assert index.windows < before + 10_000, "the windows of a few dozen forms at most"
    assert index.spans(token(999)) == []
    assert index.spans("stays-there-7d21a") == [(0, 17)]


def test_a_value_that_two_have_is_found_until_both_have_removed_it() -> None:
    index = SecretIndex(["one-value-7d21a", "one-value-7d21a"])
    index.remove("one-value-7d21a")
    assert index.spans("one-value-7d21a")
    index.remove("one-value-7d21a")
    assert not index.spans("one-value-7d21a")
