"""Small inputs are computed at once, others in a thread."""

import threading
from typing import Any

import pytest

from nemo_eval_operator.runtime.threads import SMALL_CHARACTERS, SMALL_VALUES, compute, is_small

DEEP: list[Any] = []
for _ in range(SMALL_VALUES + 1):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"tasks": {"a": {"metrics": [1, 2.5, None, True, "text"]}}}, True),
        ("x" * SMALL_CHARACTERS, True),
        ("x" * (SMALL_CHARACTERS + 1), False),
        ({"x" * (SMALL_CHARACTERS + 1): 1}, False),
        ([0] * (SMALL_VALUES // 2), True),
        ([0] * SMALL_VALUES, False),
        ([[[]] * (SMALL_VALUES // 2)] * 2, False),
        (DEEP, False),
    ],
)
async def test_where_it_is_computed(document: Any, expected: bool) -> None:
    here = threading.get_ident()
    assert (await compute(is_small(document), threading.get_ident) == here) is expected
