"""The screen of `kubectl nemoeval why`: pure, from the chain to lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from nemo_eval_operator.clock import duration_text, parse_timestamp
from nemo_eval_operator.kube import CoreEvent
from nemo_eval_operator.lifecycle import cause_of

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
    State.STOPPED: ("-", "grey"),
}

LABELS: Final = {State.ACTIVE: "Now at", State.STOPPED: "Stopped at"}
"""First words of the conclusion; of other states: In the way."""

MAX_CHARACTERS: Final = 2_000
"""Of one message: a screen of lines."""

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
        in_the_way = link is chain.in_the_way
        yield from _link_lines(link, in_the_way=in_the_way, now=now, style=style, width=width)
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


def _link_lines(link: Link, *, in_the_way: bool, now: datetime, style: Style, width: int) -> Iterator[str]:
    """Yield the link's line and its details; message and conditions of what is in the way come at the end."""
    sign, colour = SIGNS[link.state]
    is_shown = link.state not in {State.AHEAD, State.PASSED}
    parts = (clean(link.subject), clean(link.reason) if is_shown else "")
    line = "  ".join(part for part in parts if part)
    yield f"  {style.paint(sign, colour)} {link.place.value.ljust(PLACE_WIDTH)} {line}".rstrip()
    yield from wrapped(clean(link.detail), indent=INDENT, width=width)
    if not is_shown:
        return
    if not in_the_way:
        yield from wrapped(clean(link.message, MAX_CHARACTERS), indent=INDENT, width=width)
        yield from _conditions(link, INDENT, style, width)
    for event in _news(link)[:MAX_EVENTS]:
        for text in wrapped(_event(event, now), indent=INDENT, width=width):
            yield style.paint(text, "yellow" if event.type == "Warning" else "grey")


def _news(link: Link) -> list[CoreEvent]:
    """Return the events that say more than the conditions do."""
    said = {one.message for one in link.conditions}
    return [event for event in link.events if event.message not in said]


def _event(event: CoreEvent, now: datetime) -> str:
    age = f"{_age(event.time, now)} ago: " if event.time else ""
    times = f" (x{event.count})" if event.count and event.count > 1 else ""
    cause = clean(cause_of(event.message), MAX_CHARACTERS)
    return f"{age}{event.type} {clean(event.reason)}{times}: {cause}"


def _conclusion(chain: Chain, style: Style, width: int) -> Iterator[str]:
    link = chain.in_the_way
    if link is None:
        yield style.paint("Nothing is in the way: the run has ended as it should.", "green")
        return
    name = " ".join(part for part in (link.place.value, clean(link.subject)) if part)
    reason = f" ({clean(link.reason)})" if link.reason else ""
    label = LABELS.get(link.state, "In the way")
    for text in wrapped(f"{label}: {name}{reason}", indent="", width=width):
        yield style.paint(text, SIGNS[link.state][1], "bold")
    for text in dict.fromkeys((clean(link.message, MAX_CHARACTERS), link.meaning)):
        yield from wrapped(text, indent="  ", width=width)
    yield from _conditions(link, "  ", style, width)
    yield from wrapped(f"What to do: {link.action or _no_action(link)}", indent="", width=width)
    # Not wrapped, so that each can be copied whole.
    yield from (f"  {clean(one)}" for one in link.commands)


def _conditions(link: Link, indent: str, style: Style, width: int) -> Iterator[str]:
    text = " ".join(f"{one.type}={one.status}" for one in link.conditions)
    yield from (style.paint(line, "grey") for line in wrapped(text, indent=indent, width=width))


def _no_action(link: Link) -> str:
    if link.state is State.BLOCKED:
        return "create what the message names, or correct its name."
    return "nothing; it proceeds by itself."
