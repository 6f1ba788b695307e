"""Evidence that is kept: it comes back as it was, it is small, and nothing else is taken for it."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_eval_operator.gates import (
    Evidence,
    EvidenceUnreadable,
    Packed,
    evidence_of,
    gate_of,
    judge,
    pack,
    unpack,
)
from nemo_eval_operator.gates.evidence import ScoreEvidence
from nemo_eval_operator.gates.packing import MAX_HEADER_BYTES, MAX_ITEMS_BYTES
from nemo_eval_operator.gates.statistics import Moments
from tests.unit.gates.documents import NAME, results

FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100)
KEYS = st.text("0123456789abcdef", min_size=12, max_size=12)
# Adding 0 turns -0.0 into 0.0, which it equals: as one bit both are the same.
ITEMS = st.dictionaries(
    KEYS, st.sampled_from([0.0, 1.0]) | FINITE.map(lambda value: value + 0.0), max_size=30
)
MOMENTS = st.builds(Moments, st.integers(1, 10**9), FINITE, FINITE.map(abs) | st.just(math.nan))
SCORES = st.builds(
    ScoreEvidence,
    st.text(min_size=1, max_size=20),
    st.none() | FINITE,
    moments=st.none() | MOMENTS,
    has_sums=st.booleans(),
    nan_count=st.integers(0, 10**9),
    is_binary=st.booleans(),
    stderr=st.none() | FINITE,
    items=ITEMS,
)


@given(st.lists(SCORES, max_size=6))
def test_what_is_packed_comes_back(scores: list[ScoreEvidence]) -> None:
    evidence = Evidence(tuple(scores))

    packed = pack(evidence)

    assert repr(unpack(packed, digest=packed.digest)) == repr(_sorted(evidence))
    assert pack(unpack(packed)) == packed


def _sorted(evidence: Evidence) -> Evidence:
    """NaN is unequal to itself, and so are reprs of dictionaries in another order."""
    return Evidence(
        tuple(replace(score, items=dict(sorted(score.items.items()))) for score in evidence.scores)
    )


@pytest.mark.parametrize("binary", [True, False])
def test_ten_thousand_items_take_at_most_150_kb(binary: bool) -> None:
    chance = random.Random(7)  # noqa: S311 - reproducible
    scores = [float(chance.random() < 0.7) if binary else chance.random() for _ in range(10_000)]

    packed = pack(evidence_of(results(scores)))

    assert len(packed.items) + len(packed.header) <= 150_000


def test_the_same_verdict_comes_of_what_was_kept() -> None:
    chance = random.Random(7)  # noqa: S311 - reproducible
    before, after = ([float(chance.random() < 0.7) for _ in range(500)] for _ in range(2))
    gate = gate_of({"criteria": [{"score": NAME, "maxDrop": 0.02, "minimum": 0.5}]})
    fresh = [evidence_of(results(scores)) for scores in (after, before)]

    assert judge(gate, *map(unpack, map(pack, fresh))) == judge(gate, *fresh)


def test_rows_of_equal_content_are_kept_apart() -> None:
    evidence = evidence_of(results([0.0, 1.0, 1.0], items=["same", "same", "other"]))

    assert len(unpack(pack(evidence)).scores[0].items) == 3


def test_more_items_than_fit_leave_the_aggregates() -> None:
    chance = random.Random(7)  # noqa: S311 - reproducible
    items = {f"{number:012x}": chance.random() for number in range(90_000)}
    one = ScoreEvidence("a/b/c", 0.5, moments=Moments(90_000, 0.5, 0.1), has_sums=True, items=items)
    few = dict.fromkeys([*items][:5], 1.0)

    packed = pack(Evidence((replace(one, items=few), one)))

    assert len(packed.items) <= MAX_ITEMS_BYTES
    assert [len(score.items) for score in unpack(packed).scores] == [5, 0]
    assert unpack(packed).scores[1].moments == one.moments


def test_a_header_has_a_limit() -> None:
    packed = pack(Evidence(tuple(ScoreEvidence(f"{number}{'x' * 500}", 0.5) for number in range(5_000))))

    assert len(packed.header) <= MAX_HEADER_BYTES
    assert unpack(packed).scores[0].value == 0.5


GOOD = pack(evidence_of(results([0.0, 1.0, 0.5])))


@pytest.mark.parametrize(
    ("packed", "problem"),
    [
        (replace(GOOD, header="{"), "its header is not evidence"),
        (
            replace(GOOD, header=GOOD.header.replace('"version":1', '"version":2')),
            "its header is not evidence",
        ),
        (replace(GOOD, header=GOOD.header.replace('"keys":3', '"keys":2')), "items"),
        (
            replace(GOOD, header=GOOD.header.replace('"keys":3', '"keys":999999999999')),
            "bytes of items expected",
        ),
        (replace(GOOD, items=b""), "cut off"),
        (replace(GOOD, items=GOOD.items[:-5]), "cut off"),
        (replace(GOOD, items=b"no zlib"), "cannot be decompressed"),
    ],
)
def test_what_is_not_evidence_is_unreadable(packed: Packed, problem: str) -> None:
    with pytest.raises(EvidenceUnreadable):
        unpack(packed, digest=GOOD.digest)
    if packed.header != GOOD.header or packed.items != GOOD.items:
        with pytest.raises(EvidenceUnreadable) as caught:
            unpack(packed)
        assert problem in str(caught.value) or "bytes follow" in str(caught.value)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    for packed in (replace(GOOD, items=content), Packed(content.decode(errors="replace"), GOOD.items)):
        try:
            unpack(packed)
        except EvidenceUnreadable:
            continue


def test_the_digest_is_of_both_parts() -> None:
    other = json.loads(GOOD.header)
    other["scores"][0]["value"] = 0.9

    assert replace(GOOD, header=json.dumps(other)).digest != GOOD.digest
    assert replace(GOOD, items=b"").digest != GOOD.digest
