"""Reads all jobs of the operator once for all evaluators that count theirs at the time.

After a start every limited connection counts, and each count needs all jobs: read for each connection, a
namespace with many of them would keep the operator busy for minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nemo_eval_operator.kube import KubeClient
from nemo_eval_operator.lifecycle import read_job
from nemo_eval_operator.resources import EVALJOB_PLURAL, LabelSelector, NemoEvalJob

__all__ = ["JobLists"]

Note = Callable[[NemoEvalJob], None]


@dataclass(frozen=True, slots=True)
class _Reader:
    note: Note
    ended: asyncio.Future[None]

    def take(self, job: NemoEvalJob) -> None:
        """Call `note`. Its error ends this reader alone: others are of other namespaces."""
        try:
            self.note(job)
        except Exception as error:  # noqa: BLE001 - raised by note_each
            self.ended.set_exception(error)


class JobLists:
    """Lists of the jobs in `namespaces` (none: all) that `selector` matches."""

    def __init__(self, kube: KubeClient, namespaces: Sequence[str], selector: LabelSelector) -> None:
        self._kube = kube
        self._namespaces = namespaces
        self._selector = selector
        self._waiting: list[_Reader] = []
        self._reading: asyncio.Task[None] | None = None

    async def note_each(self, note: Note) -> None:
        """Call `note` with every job. Raises KubeError and what `note` raises; some jobs were noted then.

        One that is called while jobs are read waits for the next read: it must not miss the first ones.
        """
        ended = asyncio.get_running_loop().create_future()
        self._waiting.append(_Reader(note, ended))
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_while_wanted(), name="job lists")
        await ended

    async def _read_while_wanted(self) -> None:
        while self._waiting:
            readers, self._waiting = self._waiting, []
            try:
                await self._read(readers)
            except Exception as error:  # noqa: BLE001 - raised by each reader instead
                for reader in readers:
                    if not reader.ended.done():
                        reader.ended.set_exception(error)
            for reader in readers:
                if not reader.ended.done():
                    reader.ended.set_result(None)

    async def _read(self, readers: Sequence[_Reader]) -> None:
        for namespace in self._namespaces or (None,):
            jobs = self._kube.list_all(EVALJOB_PLURAL, namespace, selector=self._selector.text)
            async for document in jobs:
                job = read_job(document)[0]
                # A reader that was cancelled is done.
                wanting = [reader for reader in readers if not reader.ended.done()]
                if not wanting:
                    return
                for reader in wanting:
                    reader.take(job)
                # A page has 500 jobs, and there may be hundreds of readers.
                await asyncio.sleep(0)
