"""The screen of `kubectl nemoeval why`: pure, from the chain to lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import duration_text, parse_timestamp
from nemo_eval_operator.kube import CoreEvent

from .links import Chain, Facts, Link, State
from .outcome import ending_of, stage_of, time_left
from .screen import Style, clean, wrapped

__all__ = ["why_lines"]

SIGNS: Final = {
    State.PASSED: ("✓", "green"),
    State.ACTIVE: ("▸", "cyan"),
    State.WAITING: ("!", "yellow"),
    State.BLOCKED: ("✗", "red"),
    State.UNKNOWN: ("?", "yellow"),
    State.AHEAD: ("·", "grey"),
}

MAX_EVENTS: Final = 3
"""Events of one link: the newest."""

PLACE_WIDTH: Final = 11

INDENT: Final = " " * 16


def why_lines(facts: Facts, chain: Chain, *, now: datetime, style: Style, width: int) -> Iterator[str]:
    """Return the screen: the chain, what is in the way, and what to do."""
    job = facts.job
    name = f"{job.metadata.namespace}/{job.metadata.name}"
    yield style.paint(f"NemoEvalJob {name}: {_heading(facts, now)}", "bold")
    yield ""
    for link in chain.links:
        yield from _link_lines(link, now=now, style=style, width=width)
    if facts.events_missing:
        yield from wrapped(f"Events are not shown: {facts.events_missing}", indent="", width=width)
    yield ""
    yield from _conclusion(chain, style, width)


def _heading(facts: Facts, now: datetime) -> str:
    job = facts.job
    changes = [parse_timestamp(one.last_transition_time) for one in job.status.conditions]
    since = max(changes, default=job.metadata.creation_timestamp)
    left = time_left(job, now)
    ending = ending_of(job)
    stage = ending.word if ending else stage_of(job)
    parts = [stage, *([f"for {_age(since, now)}"] if since else [])]
    return " ".join(parts) + (f", about {duration_text(left)} left" if left else "")


def _age(since: datetime, now: datetime) -> str:
    return duration_text(max(now - since, timedelta()))


def _link_lines(link: Link, *, now: datetime, style: Style, width: int) -> Iterator[str]:
    sign, colour = SIGNS[link.state]
    conditions = " ".join(f"{one.type}={one.status}" for one in link.conditions)
    is_shown = link.state not in {State.AHEAD, State.PASSED}
    parts = (clean(link.subject), conditions if is_shown else "", clean(link.reason) if is_shown else "")
    line = "  ".join(part for part in parts if part)
    yield f"  {style.paint(sign, colour)} {link.place.value.ljust(PLACE_WIDTH)} {line}".rstrip()
    if is_shown or (link.state is State.PASSED and not link.conditions):
        yield from wrapped(clean(link.message), indent=INDENT, width=width)
    for event in link.events[:MAX_EVENTS] if is_shown else ():
        for text in wrapped(_event(event, now), indent=INDENT, width=width):
            yield style.paint(text, "yellow" if event.type == "Warning" else "grey")


def _event(event: CoreEvent, now: datetime) -> str:
    age = f"{_age(event.time, now)} ago: " if event.time else ""
    times = f" (x{event.count})" if event.count and event.count > 1 else ""
    return f"{age}{event.type} {clean(event.reason)}{times}: {clean(event.message, 240)}"


def _conclusion(chain: Chain, style: Style, width: int) -> Iterator[str]:
    link = chain.in_the_way
    if link is None:
        yield style.paint("Nothing is in the way: the run has ended as it should.", "green")
        return
    name = " ".join(part for part in (link.place.value, clean(link.subject)) if part)
    reason = f" ({clean(link.reason)})" if link.reason else ""
    label, colour = ("Now at", "cyan") if link.state is State.ACTIVE else ("In the way", SIGNS[link.state][1])
    meaning = link.meaning or clean(link.message)
    first, *more = wrapped(f"{label}: {name}{reason}. {meaning}", indent="", width=width)
    yield style.paint(first, colour, "bold")
    yield from more
    yield from wrapped(f"What to do: {link.action or _no_action(link)}", indent="", width=width)


def _no_action(link: Link) -> str:
    if link.state is State.BLOCKED:
        return "create what the message names, or correct its name."
    return "nothing; it proceeds by itself."
