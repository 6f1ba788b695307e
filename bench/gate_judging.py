"""CPU of judging a run of 10,000 items from kept evidence: `python -m bench.gate_judging`.

The figures are in docs/gates.md.
"""

from __future__ import annotations

import random
import time
from typing import Final

from nemo_eval_operator.gates import Evidence, ScoreEvidence, gate_of, judge, pack, unpack

ITEMS: Final = 10_000
REPETITIONS: Final = 20
NAME: Final = "qa/answered/string-check"


def main() -> None:
    """Print the size of the evidence, and the CPU of reading two runs' evidence and judging by it."""
    gate = gate_of({"criteria": [{"score": NAME, "minimum": 0.5, "maxDrop": 0.02, "maxRelativeDrop": 0.05}]})
    for kind, binary in (("0 or 1", True), ("any number", False)):
        runs = [pack(_run(seed, binary=binary)) for seed in (1, 2)]
        begun = time.process_time()
        for _ in range(REPETITIONS):
            baseline, candidate = (unpack(packed, digest=packed.digest) for packed in runs)
            judge(gate, candidate, baseline)
        seconds = (time.process_time() - begun) / REPETITIONS
        size = len(runs[0].header.encode()) + len(runs[0].items)
        print(f"{ITEMS:,} items, scores {kind}: {size / 1000:.0f} kB, {seconds:.3f} s of CPU")


def _run(seed: int, *, binary: bool) -> Evidence:
    choose = random.Random(seed)  # noqa: S311 - a simulation
    scores = [float(choose.random() < 0.7) if binary else choose.random() for _ in range(ITEMS)]
    keys = random.Random(0)  # noqa: S311 - both runs have the same items
    items = {f"{keys.getrandbits(48):012x}": score for score in scores}
    return Evidence((ScoreEvidence(NAME, sum(scores) / ITEMS, items=items, is_binary=binary),))


if __name__ == "__main__":
    main()
