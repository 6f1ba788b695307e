"""The line of keys that wait: whose turn it is, and what it keeps of those that left."""

from __future__ import annotations

import sys

from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.workqueue.fair_queue import FairQueue


def key(number: int) -> ObjectKey:
    return ObjectKey("nemoevaljobs", "a", f"job-{number}")


def size_of(line: FairQueue) -> int:
    return sum(sys.getsizeof(heap) for heap in line._namespaces.values())  # noqa: SLF001 - memory is the point


def test_a_line_that_does_not_move_keeps_nothing_of_those_that_left() -> None:
    line = FairQueue()
    line.put(key(0), (False, 0, "0"))
    for number in range(1, 2000):
        line.put(key(number), (False, 0, str(number)))
        line.discard(key(number))
        line.put(key(0), (False, -number, "0"))

    assert size_of(line) < 10_000
    assert [line.pop(), line.pop()] == [key(0), None]


def test_order_survives_that_others_leave() -> None:
    line = FairQueue()
    for number in range(500):
        line.put(key(number), (False, 0, f"{number:04}"))
    for number in range(0, 500, 2):
        line.discard(key(number))
    for number in range(500, 600):
        line.put(key(number), (False, 0, f"{number:04}"))

    order = [line.pop() for _ in range(len(line))]

    assert order == [key(number) for number in (*range(1, 500, 2), *range(500, 600))]
