"""Memory and time of masking: `python -m bench.known_secrets`. The figures are in docs/scaling.md."""

from __future__ import annotations

import random
import resource
import string
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import JsonValue

from nemo_eval_operator.evaluator.model import KnownSecrets, fits

MIB = 1024**2
ALPHABET = string.ascii_letters + string.digits


def main() -> None:
    """Print what each case takes (Linux)."""
    choose = random.Random(1)  # noqa: S311 - only has to look like tokens
    tokens = ["".join(choose.choices(ALPHABET, k=40)) for _ in range(1_024)]
    lines = "\n".join(f"{number:07}" for number in range(140_000))

    known = KnownSecrets()
    _measure("a Secret of 140,000 lines", lambda: fits([lines]))
    _measure("25 changes of a Secret of 1 MB", lambda: _change(known, choose))
    _measure("a Secret at the limit", lambda: known.keep("own", "own", read=[lines[: 8 * 250]]))
    _measure("the first message with it", lambda: known.of("own").hide("x" * 1_000))

    for number, token in enumerate(tokens):
        known.keep(number, f"team-{number // 64}", read=[token])
    rows = [f"Answer {number}: the capital of France is Paris. " * 20 for number in range(8 * MIB // 1_000)]
    clean = _document(rows)
    echoing = _document([f"{row} {tokens[number % 1_024]}" for number, row in enumerate(rows)])
    _measure("masking 8 MB with 1,024 values, none in it", lambda: known.of(None).hide_in(clean))
    _measure("the same with one in each of 8,000 rows", lambda: known.of(None).hide_in(echoing))


def _document(rows: list[str]) -> dict[str, JsonValue]:
    return {"rows": [*rows]}


def _change(known: KnownSecrets, choose: random.Random) -> None:
    for _ in range(25):
        value = choose.randbytes(MIB // 2).hex()
        if fits([value]):
            known.keep("changed", "team", read=[value])


def _measure(name: str, work: Callable[[], object]) -> None:
    before = _resident()
    begun = time.process_time()
    work()
    seconds = time.process_time() - begun
    print(f"{name}: {seconds * 1_000:,.1f} ms of CPU, {(_resident() - before) / MIB:.1f} MiB more in memory")


def _resident() -> int:
    """Bytes of this process in memory."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


if __name__ == "__main__":
    main()
