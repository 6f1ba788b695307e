"""Which fault strikes which request: by method, path and chance. Pure but for the counts and the dice."""

import random
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

__all__ = ["BadRule", "Fault", "Rule", "Rules", "parse_rule"]


class Fault(StrEnum):
    """What happens to an exchange. Where a rule's value means something, that and its default come last."""

    DELAY = "delay"  # the request is held back, then passed on; seconds, 1
    DROP_BEFORE = "drop-before"  # upstream never sees it; the connection is closed
    DROP_AFTER = "drop-after"  # upstream acts; the connection is closed without its answer
    RESET_BEFORE = "reset-before"  # as drop-before, by a TCP reset
    RESET_AFTER = "reset-after"  # as drop-after, by a TCP reset
    ERROR_BEFORE = "error-before"  # a gateway answers in upstream's place; status code, 503
    ERROR_AFTER = "error-after"  # upstream acts, a gateway answers; status code, 503
    BUSY = "busy"  # 429, upstream never sees it; seconds in Retry-After, 1
    GARBAGE = "garbage"  # upstream acts; its status with a body that is no JSON
    SLOW = "slow"  # upstream acts; the body trickles; seconds that it takes, 5
    GATEWAY_TIMEOUT = "gateway-timeout"  # upstream acts when it can; a gateway answers 504 after seconds, 1
    HOLD_AFTER = "hold-after"  # upstream acts; the client waits until the proxy ends or lets go


_DEFAULT_VALUES: Final = {
    Fault.DELAY: 1.0,
    Fault.ERROR_BEFORE: 503.0,
    Fault.ERROR_AFTER: 503.0,
    Fault.BUSY: 1.0,
    Fault.SLOW: 5.0,
    Fault.GATEWAY_TIMEOUT: 1.0,
}


class BadRule(ValueError):
    """A rule in text that cannot be read."""


@dataclass(frozen=True)
class Rule:
    """Requests of METHOD to paths like PATH (without query; * matches anything) suffer FAULT."""

    method: str
    path: str
    fault: Fault
    value: float = 0.0  # 0: the fault's default
    _: KW_ONLY
    probability: float = 1.0
    times: int | None = None  # how often at most

    @property
    def amount(self) -> float:
        """The value, or the fault's default."""
        return self.value or _DEFAULT_VALUES.get(self.fault, 0.0)

    def applies_to(self, method: str, path: str) -> bool:
        return self.method in {"*", method} and fnmatchcase(path, self.path)


class Rules:
    """Rules in order, of which the first that applies and wins its toss strikes."""

    def __init__(self, rules: Sequence[Rule], dice: random.Random) -> None:
        self._rules = [*rules]
        self._left = [rule.times for rule in rules]
        self._dice = dice

    def strike(self, method: str, path: str) -> Rule | None:
        """The rule that strikes this request; None lets it pass."""
        for index, rule in enumerate(self._rules):
            left = self._left[index]
            if left == 0 or not rule.applies_to(method, path) or self._dice.random() >= rule.probability:
                continue
            if left is not None:
                self._left[index] = left - 1
            return rule
        return None


def parse_rule(text: str) -> Rule:
    """`METHOD PATH FAULT[=VALUE] [p=PROBABILITY] [times=N]`. Raises BadRule."""
    try:
        method, path, fault, *options = text.split()
        name, _, value = fault.partition("=")
        named = dict(option.split("=") for option in options)
        rule = Rule(
            method.upper(),
            path,
            Fault(name),
            float(value or 0),
            probability=float(named.pop("p", 1)),
            times=int(named.pop("times")) if "times" in named else None,
        )
    except ValueError as error:
        msg = f"{text!r}: {error}"
        raise BadRule(msg) from error
    if named:
        msg = f"{text!r}: unknown {', '.join(named)}"
        raise BadRule(msg)
    return rule
