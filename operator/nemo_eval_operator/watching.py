"""Kopf's watches, which are restarted inside the process after any answer of the API server.

Kopf itself continues after a watch that has expired (410) or was closed. It retries requests that are refused
or not answered (403, 429, 5xx) as often as `networking.error_backoffs` says, which is without an end here, so
that a kind that cannot be watched for a while does not concern the other kinds.

Everything else ends Kopf: an ERROR event with another code, a line that is cut, a proxy's HTML page. Its
public API has no hook for errors of a watch, and does not let one watch be restarted alone, so all of Kopf is
restarted, by the two functions that it offers for embedding. It lists everything again then, as after a 410;
events of objects that have not changed are dropped by `handlers`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import kopf
from typing_extensions import override

from nemo_eval_operator.runtime.backoff import RestartPauses, pauses

from .handlers import Context, NoDiffBase, build_registry
from .resources import GROUP, LabelSelector, NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection

__all__ = ["watch_until_stopped"]

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 1.0
MAX_PAUSE_SECONDS: Final = 60.0

PROVEN_SECONDS: Final = 120.0
"""Seconds after which a failure counts as the first again: a list of 10,000 objects takes half a minute."""

PAGE_SIZE: Final = 100
"""Objects in a page of Kopf's lists. Where all have 1.5 MB, the API server reads a page in some seconds."""

CANCELLATIONS: Final = 10
"""Number of times that a task of Kopf that does not end is cancelled."""

CANCELLATION_SECONDS: Final = 1.0
"""Seconds between two cancellations of a task of Kopf."""

KOPF_DIRECTORY: Final = str(Path(kopf.__file__).parent)


async def watch_until_stopped(
    context: Context,
    *,
    namespaces: Sequence[str],
    selector: LabelSelector,
    on_restart: Callable[[], None],
    until_served: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Watch `namespaces` (none: all) until SIGTERM or SIGINT; `on_restart` is called when Kopf had ended.

    `until_served` waits until the API server serves our kinds: the CRDs may be deleted while this runs.
    """
    stop, clock = asyncio.Event(), asyncio.get_running_loop()
    restarts = RestartPauses(first=FIRST_PAUSE_SECONDS, longest=MAX_PAUSE_SECONDS, proven=PROVEN_SECONDS)
    while not stop.is_set():
        begun, failure = clock.time(), None
        try:
            await _watch(context, stop, namespaces, selector)
        except Exception as error:
            if _is_not_found(error):
                logger.warning("the watches of the Kubernetes API ended: %s", error)
            else:
                logger.exception("the watches of the Kubernetes API ended")
            failure = error
        if stop.is_set():
            return
        pause = restarts.after(clock.time() - begun)
        logger.warning("watching again in %.0f s, after %s", pause, type(failure).__name__)
        on_restart()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
        await _first_of(stop.wait(), until_served())


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait for one of these, whose exception is raised, and cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()


def _is_not_found(error: BaseException) -> bool:
    """Return whether the API server does not have the kind; Kopf's class of that error is not public."""
    return getattr(error, "status", None) == HTTPStatus.NOT_FOUND


async def _watch(
    context: Context, stop: asyncio.Event, namespaces: Sequence[str], selector: LabelSelector
) -> None:
    tasks = await kopf.spawn_tasks(
        registry=build_registry(),
        settings=kopf_settings(selector),
        memo=context,
        # Kopf would ask for a user name, which an arbitrary user id (OpenShift, runAsUser) does not have.
        identity=socket.gethostname(),  # type: ignore[arg-type]  # its own str type is not exported
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
    )
    # In place of Kopf's own, which know this run only and not the pause after it.
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await kopf.run_tasks(tasks, ignored=_EveryTask())
    finally:
        await _end_tasks_of_kopf()


async def _end_tasks_of_kopf() -> None:
    """Cancel the tasks that Kopf started and left, again every second until they have ended.

    Kopf itself would cancel them once and then wait without a limit. A watch in which both the request and
    the task that waits for a pause are cancelled in the same turn takes that for a pause, and goes on.
    """
    for _ in range(CANCELLATIONS):
        if not (left := [task for task in asyncio.all_tasks() if _is_of_kopf(task)]):
            return
        for task in left:
            task.cancel()
        _, pending = await asyncio.wait(left, timeout=CANCELLATION_SECONDS)
    if pending:
        logger.warning("%d tasks of Kopf do not end", len(pending))


def _is_of_kopf(task: asyncio.Task[Any]) -> bool:
    """Return whether the task runs Kopf's own code, and not, for example, a connection's poller."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and code.co_filename.startswith(KOPF_DIRECTORY)


def kopf_settings(selector: LabelSelector) -> kopf.OperatorSettings:
    """Return settings for Kopf as a watcher for very many objects of three kinds."""
    settings = kopf.OperatorSettings()
    settings.watching.chunk_size = PAGE_SIZE
    if selector.requirements:
        for kind in (NemoBenchmark, NemoEvalJob, NemoEvaluatorConnection):
            settings.watching.label_selectors[GROUP, kind.PLURAL] = selector.text
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.networking.error_backoffs = _Pauses()
    settings.queueing.idle_timeout = 1.0
    # So many seconds after its end Kopf kills the process, though it may have been restarted.
    settings.process.ultimate_exiting_timeout = None
    return settings


class _Pauses(Iterable[float]):
    """Pauses between tries of one request, without an end."""

    @override
    def __iter__(self) -> Iterator[float]:
        return pauses(first=FIRST_PAUSE_SECONDS, longest=MAX_PAUSE_SECONDS)


class _EveryTask(Collection[Any]):
    """The tasks that Kopf leaves alone once its main tasks have ended: all, since we end the others."""

    @override
    def __contains__(self, task: object) -> bool:
        return True

    @override
    def __iter__(self) -> Iterator[Any]:
        return iter(asyncio.all_tasks())

    @override
    def __len__(self) -> int:
        return len(asyncio.all_tasks())
