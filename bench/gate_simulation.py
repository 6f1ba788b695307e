"""How often gates are right, by simulation: `python -m bench.gate_simulation` prints tables of docs/gates.md.

Coverage: how often each interval contains the true change. Decisions: how often a gate passes, fails and is
inconclusive where two runs are equally good, and where one is worse. The seed is fixed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nemo_eval_operator.gates import Evidence, Result, gate_of, judge, pack, unpack
from nemo_eval_operator.gates.evidence import ScoreEvidence
from nemo_eval_operator.gates.statistics import Interval, Moments, newcombe, t_interval, tango, welch, wilson

__all__ = ["FLIP_RATES", "SIZES", "coverage_of", "decisions"]

SIZES = (12, 30, 100, 300, 1000)
FLIP_RATES = ((0.005, 0.005), (0.02, 0.02), (0.05, 0.05), (0.06, 0.04), (0.1, 0.02))
"""Shares of items that only the baseline, and only the candidate, gets right."""

CONFIDENCE = 0.95
RIGHT = 0.7
"""Share of items that the baseline gets right."""

Draw = Callable[[random.Random], tuple[float, Interval]]
"""The true value, and the interval of one simulated experiment."""


@dataclass(frozen=True)
class Case:
    """One cell of the table of coverage."""

    interval: str
    situation: str
    items: int
    draw: Draw


def coverage_of(case: Case, *, runs: int, seed: int) -> float:
    """Return the share of intervals that contain the true value."""
    chance = random.Random(f"{seed} {case.interval} {case.situation} {case.items}")  # noqa: S311
    hits = 0
    for _ in range(runs):
        truth, interval = case.draw(chance)
        hits += interval.low <= truth <= interval.high
    return hits / runs


def cases() -> Iterator[Case]:
    """Return every interval that gates use, at every size."""
    for items in SIZES:
        for rates in FLIP_RATES:
            yield Case("Tango, paired 0/1", f"{rates[0]:.1%} / {rates[1]:.1%}", items, _tango(items, *rates))
        yield Case("Wilson, one run 0/1", f"p = {RIGHT}", items, _wilson(items))
        yield Case("Newcombe, unpaired 0/1", f"p = {RIGHT} and 0.66", items, _newcombe(items))
        yield Case("t, paired", "scores in 0..1", items, _paired_t(items))
        yield Case("Welch, unpaired", "scores in 0..1", items, _welch(items))


def _tango(items: int, worse: float, better: float) -> Draw:
    def draw(chance: random.Random) -> tuple[float, Interval]:
        rolls = [chance.random() for _ in range(items)]
        lost = sum(roll < worse for roll in rolls)
        won = sum(worse <= roll < worse + better for roll in rolls)
        return better - worse, tango(lost, won, items, CONFIDENCE)

    return draw


def _successes(chance: random.Random, items: int, share: float) -> int:
    return sum(chance.random() < share for _ in range(items))


def _wilson(items: int) -> Draw:
    return lambda chance: (RIGHT, wilson(_successes(chance, items, RIGHT), items, CONFIDENCE))


def _newcombe(items: int) -> Draw:
    def draw(chance: random.Random) -> tuple[float, Interval]:
        before, after = _successes(chance, items, RIGHT), _successes(chance, items, 0.66)
        return 0.66 - RIGHT, newcombe((before, items), (after, items), CONFIDENCE)

    return draw


def _score(chance: random.Random, mean: float) -> float:
    """A score between 0 and 1, as ROUGE gives: many are near the mean, some far below."""
    return chance.betavariate(4 * mean, 4 * (1 - mean))


def _paired_t(items: int) -> Draw:
    def draw(chance: random.Random) -> tuple[float, Interval]:
        differences = [_score(chance, 0.4) - _score(chance, 0.5) for _ in range(items)]
        return -0.1, t_interval(Moments.of(differences), CONFIDENCE)

    return draw


def _welch(items: int) -> Draw:
    def draw(chance: random.Random) -> tuple[float, Interval]:
        before = Moments.of([_score(chance, 0.5) for _ in range(items)])
        after = Moments.of([_score(chance, 0.4) for _ in range(items)])
        return -0.1, welch(before, after, CONFIDENCE)

    return draw


def decisions(
    *, items: int, flips: tuple[float, float], margin: float, runs: int, seed: int
) -> dict[Result, float]:
    """Return how often a gate with `maxDrop: margin` gives each verdict on two paired runs."""
    gate = gate_of({"criteria": [{"score": "t/m/s", "maxDrop": margin}]})
    chance = random.Random(f"{seed} {items} {flips} {margin}")  # noqa: S311
    keys = [f"{number:012x}" for number in range(items)]
    counts = Counter(judge(gate, *_runs(chance, keys, *flips)).verdict for _ in range(runs))
    return {result: counts[result] / runs for result in (Result.PASSED, Result.INCONCLUSIVE, Result.FAILED)}


def _runs(chance: random.Random, keys: list[str], worse: float, better: float) -> tuple[Evidence, Evidence]:
    """A candidate and its baseline."""
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    for key in keys:
        roll = chance.random()
        if roll < worse:
            before[key], after[key] = 1.0, 0.0
        elif roll < worse + better:
            before[key], after[key] = 0.0, 1.0
        else:
            before[key] = after[key] = float(roll < worse + better + RIGHT - worse)
    return _evidence(after), _evidence(before)


def _evidence(items: dict[str, float]) -> Evidence:
    moments = Moments.of([*items.values()])
    return Evidence(
        (ScoreEvidence("t/m/s", moments.mean, moments=moments, has_sums=True, is_binary=True, items=items),)
    )


def judging_seconds(items: int, *, binary: bool) -> tuple[int, float]:
    """Return the bytes of kept evidence, and the CPU seconds to read two of them and to judge."""
    chance = random.Random(1)  # noqa: S311

    keys = [f"{chance.getrandbits(48):012x}" for _ in range(items)]

    def run() -> Evidence:
        return _evidence({key: float(chance.random() < RIGHT) if binary else chance.random() for key in keys})

    kept = [pack(run()), pack(run())]
    gate = gate_of({"criteria": [{"score": "t/m/s", "maxDrop": 0.02, "minimum": 0.1}]})
    spent = []
    for _ in range(5):
        start = time.process_time()
        judge(gate, unpack(kept[0]), unpack(kept[1]))
        spent.append(time.process_time() - start)
    return len(kept[0].header) + len(kept[0].items), statistics.median(spent)


def main() -> None:
    """Print all tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=14)
    given = parser.parse_args()
    print(f"| interval | situation | {' | '.join(f'n = {items}' for items in SIZES)} |")
    print(f"|---|---|{'---|' * len(SIZES)}")
    rows: dict[tuple[str, str], list[str]] = {}
    for case in cases():
        share = coverage_of(case, runs=given.runs, seed=given.seed)
        rows.setdefault((case.interval, case.situation), []).append(f"{share:.3f}")
    for (interval, situation), shares in sorted(rows.items()):
        print(f"| {interval} | {situation} | {' | '.join(shares)} |")
    print("\n| true change | items | margin | passed | inconclusive | failed |\n|---|---|---|---|---|---|")
    for flips in ((0.05, 0.05), (0.06, 0.04), (0.08, 0.02)):
        for items in (500, 2000):
            found = decisions(items=items, flips=flips, margin=0.02, runs=given.runs, seed=given.seed)
            verdicts = " | ".join(f"{share:.1%}" for share in found.values())
            print(f"| {flips[1] - flips[0]:+.2f} | {items:,} | 0.02 | {verdicts} |")
    print("\n| 10,000 items | kept | CPU to judge |\n|---|---|---|")
    for binary in (True, False):
        size, seconds = judging_seconds(10_000, binary=binary)
        print(f"| {'0 or 1' if binary else 'other'} | {size / 1000:.0f} kB | {seconds:.3f} s |")


if __name__ == "__main__":
    main()
