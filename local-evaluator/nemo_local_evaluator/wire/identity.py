"""Ids and times as NeMo Evaluator writes them: `eval-<base58 of a uuid4>` and naive UTC with microseconds."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Final

__all__ = ["new_id", "now", "to_wire"]

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def new_id(prefix: str) -> str:
    number = uuid.uuid4().int
    digits = ""
    while number:
        number, digit = divmod(number, len(_BASE58))
        digits = _BASE58[digit] + digits
    return f"{prefix}-{digits}"


def now() -> str:
    return to_wire(datetime.now(UTC))


def to_wire(moment: datetime) -> str:
    """Return the time as text of a fixed width, so that text order is time order."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds")
