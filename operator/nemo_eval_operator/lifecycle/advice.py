"""Messages of a cause and an advice: the cause is a sentence of its own, so that others can show it alone.

The operator's advice is for people who have only kubectl. The plugin shows the cause and its own commands.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Advice", "cause_of", "with_advice"]


class Advice:
    """First words of each advice, by which the end of the cause is found."""

    CORRECT_CONFIG: Final = "If the config is at fault, correct the NemoBenchmark"
    CORRECT_JOB: Final = "Correct it in a new NemoEvalJob"
    RERUN: Final = "To start another attempt:"
    OTHER_NAME: Final = "Choose another spec.config.name"
    REPLACE: Final = "Delete this object and create it again with another spec.config.name"


OPENINGS: Final = (
    *(Advice.CORRECT_CONFIG, Advice.CORRECT_JOB, Advice.RERUN),
    *(Advice.OTHER_NAME, Advice.REPLACE),
)

ADVICE: Final = re.compile(rf"\. (?:{'|'.join(map(re.escape, OPENINGS))})")


def with_advice(cause: str, opening: str, rest: str = "") -> str:
    """Return a message: the cause, then the advice that begins with one of the openings."""
    return f"{cause.rstrip('.')}. {opening}{rest}"


def cause_of(message: str) -> str:
    """Return the message without its advice."""
    found = ADVICE.search(message)
    return message[: found.start()] if found else message
