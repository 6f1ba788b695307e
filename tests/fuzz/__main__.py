"""`make fuzz`: atheris, which is guided by coverage; Hypothesis where atheris has no wheel.

Atheris has wheels for Linux on x86-64. New inputs are kept in a temporary directory, one that fails in the
current directory, and the committed corpus is where it begins.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, given, settings, strategies

CORPUS: Final = Path(__file__).parent / "corpus"

WORDS: Final = Path(__file__).parent / "words.dict"
"""Words of HTTP and of the API, which chance would not find."""

MAX_INPUT_BYTES: Final = 2048

EXAMPLES: Final = 500
"""Of one round of Hypothesis, after which it is looked at the clock."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--keep", type=Path, help="where new inputs are kept; default: nowhere")
    arguments = parser.parse_args()
    # Each unexpected exception is logged, which here is the rule and no news.
    logging.disable(logging.CRITICAL)
    if importlib.util.find_spec("atheris") is not None:
        _by_coverage(arguments.seconds, arguments.keep)
    else:
        print("atheris is not installed, so inputs are Hypothesis'")  # noqa: T201 - a program's output
        _by_chance(arguments.seconds)


def _by_coverage(seconds: int, keep: Path | None) -> None:
    import atheris  # noqa: PLC0415 - not everywhere

    with atheris.instrument_imports(include=["nemo_eval_operator", "httpx", "aiohttp", "yarl"]):
        from tests.fuzz.target import Target  # noqa: PLC0415 - instrumented while it is imported

    target = Target()
    with tempfile.TemporaryDirectory() as directory:
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={MAX_INPUT_BYTES}",
            "-len_control=0",
            "-timeout=60",
        ]
        options += [f"-dict={WORDS}", "-verbosity=0", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, str(keep or directory), str(CORPUS)], target.check)
        atheris.Fuzz()


def _by_chance(seconds: int) -> None:
    from tests.fuzz.target import Target  # noqa: PLC0415 - as above

    target, end = Target(), time.monotonic() + seconds
    for known in sorted(CORPUS.iterdir()):
        target.check(known.read_bytes())

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategies.binary(min_size=2, max_size=MAX_INPUT_BYTES))
    def round_of_examples(data: bytes) -> None:
        target.check(data)

    while time.monotonic() < end:
        round_of_examples()
    target.close()


if __name__ == "__main__":
    main()
