"""One request and its answer, as the proxy sees them pass."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from testbed.faults.rules import Rule

__all__ = ["Exchange", "Moment", "Observer"]


class Moment(Enum):
    """How far an exchange has come."""

    ARRIVED = auto()  # the request is here, and upstream does not know of it
    ANSWERED = auto()  # upstream has acted and answered, and the client does not know of it
    FORWARDED = auto()  # the client has the answer


@dataclass(eq=False)
class Exchange:
    """A request; `status` and `answer` are upstream's own, even if the client gets others."""

    method: str
    path: str  # without the query
    query: str
    body: bytes
    user: str = ""  # the name in the credentials of HTTP Basic, by which several clients are distinguished
    rule: Rule | None = None  # the one that struck
    status: int | None = None
    answer: bytes | None = None  # None too where it was passed on as a stream
    arrived: float = field(default_factory=time.monotonic)


Observer = Callable[[Exchange, Moment], bool]
"""Called at each moment, in the proxy's own thread; True breaks the connection then and there."""
