"""Looks for remote jobs by their marks: one sweep of an evaluator's list answers all look-ups of that time.

A look-up reads the whole list, so a thousand of them must not read it a thousand times: a tenant can make
objects look as if their status were lost. The object that comes first leads a sweep; the others are queued
again when it is over. A namespace causes a sweep only once in a while, and after a long one it waits longer,
so that it takes a tenth of the time at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from nemo_eval_operator.evaluator.http import EvaluatorClient
from nemo_eval_operator.evaluator.model import EvaluatorError, Malformed, RemoteJob
from nemo_eval_operator.kube import ObjectKey
from nemo_eval_operator.lifecycle import uid_carried
from nemo_eval_operator.runtime.steady_clock import steady_now
from nemo_eval_operator.workqueue import RetryLater, WorkQueue

__all__ = ["Found", "JobSearch", "LookUpPostponed"]

GATHER_SECONDS: Final = 0.1
"""Seconds from the first look-up to the sweep, so that look-ups at the same time share one."""

REST_SECONDS: Final = 1.0
"""Least seconds between two sweeps of one evaluator."""

SWEEP_SHARE: Final = 1
"""Pause after a sweep of an evaluator, as a multiple of its duration."""

NAMESPACE_REST_SECONDS: Final = 5.0
"""Seconds between two sweeps that one namespace causes."""

NAMESPACE_SHARE: Final = 9
"""Pause before a namespace causes another sweep, as a multiple of the duration of its last one."""

MAX_NAMESPACE_REST_SECONDS: Final = 600.0

ANSWER_SECONDS: Final = 30.0
"""Seconds for which an answer is kept until its object fetches it."""

MAX_FOUND: Final = 100
"""Remote jobs kept for one object; two are a rare mishap."""

MAX_KEPT: Final = 10_000
"""Remote jobs kept for all objects of a sweep, beyond two for each object; 2 kB each."""

SWEEP_RECHECK_SECONDS: Final = 30.0
"""Objects that wait for a sweep are queued when it is over; this is for a wake-up that was missed."""

Pick = Callable[[Sequence[RemoteJob]], list[RemoteJob]]
"""Those of an object's remote jobs that it looks for, in order."""


class LookUpPostponed(RetryLater):
    """The look-up is part of a sweep that is still to come."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, at_most=1.0)


@dataclass(frozen=True, slots=True)
class Found:
    """Result of a sweep for one object; the sweep began at `begun`.

    `answered_since`: when a sweep first succeeded after one that failed; None where none has failed. An
    evaluator that stood still behind a gateway then goes on with the submissions that it had.
    """

    begun: datetime
    jobs: list[RemoteJob]
    answered_since: datetime | None = None


@dataclass(slots=True)
class _Wanted:
    uid: str
    since: datetime
    pick: Pick
    seen: list[RemoteJob] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Answer:
    uid: str
    since: datetime
    found: Found
    at: float


class JobSearch:
    """The look-ups of one evaluator. It does not keep its client, and so ends with it."""

    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue
        self._wanted: dict[ObjectKey, _Wanted] = {}
        self._answers: dict[ObjectKey, _Answer] = {}
        self._sweeping = False
        self._failing = False
        """Whether the last sweep failed."""
        self._answered_since: datetime | None = None
        self._next_sweep = 0.0
        """Time of the next sweep, by the event loop's clock."""
        self._next_turns: dict[str, float] = {}
        """Times at which each namespace may cause a sweep again."""

    async def find(
        self, client: EvaluatorClient, key: ObjectKey, uid: str, *, since: datetime, pick: Pick
    ) -> Found:
        """The remote jobs with the mark `uid` that were created since then.

        Raises LookUpPostponed where they are not known yet, and EvaluatorError.
        """
        now = asyncio.get_running_loop().time()
        answer = self._answers.pop(key, None)
        # One that did not look as far back proves nothing.
        reaches = answer is not None and answer.uid == uid and answer.since <= since
        if answer is not None and reaches and now - answer.at <= ANSWER_SECONDS:
            return replace(answer.found, jobs=pick(answer.found.jobs))
        self._wanted[key] = _Wanted(uid, since, pick)
        if self._sweeping:
            raise LookUpPostponed(SWEEP_RECHECK_SECONDS)
        turn = max(self._next_sweep, self._next_turns.get(key.namespace, 0.0))
        if turn > now:
            raise LookUpPostponed(turn - now)
        await self._lead(client)
        answer = self._answers.pop(key)
        return replace(answer.found, jobs=pick(answer.found.jobs))

    def forget(self, key: ObjectKey) -> None:
        """The object is gone."""
        self._wanted.pop(key, None)
        self._answers.pop(key, None)

    async def _lead(self, client: EvaluatorClient) -> None:
        """Sweep for all objects that wait and may; queues them again, also where it fails."""
        loop = asyncio.get_running_loop()
        self._sweeping = True
        involved: dict[ObjectKey, _Wanted] = {}
        try:
            await asyncio.sleep(GATHER_SECONDS)
            begun, started = steady_now(), loop.time()
            due = {key: one for key, one in self._wanted.items() if self._may_cause(key, started)}
            since = min(one.since for one in due.values())
            involved = {key: one for key, one in self._wanted.items() if one.since >= since}
            widest = {key.namespace for key, one in due.items() if one.since == since}
            try:
                await _sweep(client, since, list(involved.values()))
                self._note_answer()
            except EvaluatorError:
                self._failing = True
                raise
            finally:
                self._rest(loop.time(), loop.time() - started, {key.namespace for key in due}, widest)
            self._keep_answers(involved, since, begun, loop.time())
        finally:
            self._sweeping = False
            # One object of each namespace that came during the sweep: it leads the next sweep for the others.
            leaders = {key.namespace: key for key in self._wanted if key not in involved}
            for key in {*involved, *leaders.values()}:
                self._queue.add(key)

    def _note_answer(self) -> None:
        if self._failing:
            self._failing, self._answered_since = False, steady_now()

    def _may_cause(self, key: ObjectKey, now: float) -> bool:
        return self._next_turns.get(key.namespace, 0.0) <= now

    def _rest(self, now: float, seconds: float, causes: set[str], widest: set[str]) -> None:
        self._next_sweep = now + max(REST_SECONDS, SWEEP_SHARE * seconds)
        long = min(max(NAMESPACE_REST_SECONDS, NAMESPACE_SHARE * seconds), MAX_NAMESPACE_REST_SECONDS)
        self._next_turns = {name: turn for name, turn in self._next_turns.items() if turn > now}
        for namespace in causes:
            # Old objects make a sweep long: the namespaces that have the oldest ones wait longer.
            self._next_turns[namespace] = now + (long if namespace in widest else NAMESPACE_REST_SECONDS)

    def _keep_answers(
        self, involved: dict[ObjectKey, _Wanted], since: datetime, begun: datetime, now: float
    ) -> None:
        self._answers = {
            key: answer for key, answer in self._answers.items() if now - answer.at <= ANSWER_SECONDS
        }
        for key, one in involved.items():
            if self._wanted.get(key) is one:
                del self._wanted[key]
            self._answers[key] = _Answer(one.uid, since, Found(begun, one.seen, self._answered_since), now)


async def _sweep(client: EvaluatorClient, since: datetime, wanted: Sequence[_Wanted]) -> None:
    await _read(client, since, wanted)
    # Twice before it counts as none: a job that is deleted while pages are turned can hide another.
    missing = [one for one in wanted if not one.pick(one.seen)]
    if missing:
        await _read(client, since, missing)


async def _read(client: EvaluatorClient, since: datetime, wanted: Sequence[_Wanted]) -> None:
    by_uid = {one.uid: one for one in wanted}
    for one in wanted:
        one.seen.clear()

    def is_wanted(custom_fields: dict[str, str]) -> bool:
        return uid_carried(custom_fields) in by_uid

    most, kept = MAX_KEPT + 2 * len(wanted), 0
    async for listed in client.list_jobs(created_since=since, wanted=is_wanted):
        remote = listed.read()
        found = by_uid.get(uid_carried(remote.custom_fields) or "")
        if found is None or len(found.seen) >= MAX_FOUND:
            continue
        kept += 1
        if kept > most:
            # None is left out: a job that is not found is submitted once more.
            raise Malformed(f"more than {most:,} jobs with marks of the {len(wanted):,} objects looked for")
        found.seen.append(remote.in_brief())
