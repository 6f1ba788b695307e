"""What is kept of an object ends with it, also where no watch event said that it was deleted."""

from __future__ import annotations

import httpx

from nemo_eval_operator.handlers import Context, WatchLiveness
from nemo_eval_operator.handlers.changes import Changes
from nemo_eval_operator.handlers.vanished import forget_vanished
from nemo_eval_operator.kube import KubeClient, ObjectKey, OverHttpx
from nemo_eval_operator.resources import EVALJOB_PLURAL, LabelSelector
from nemo_eval_operator.runtime.heartbeats import Heartbeats
from nemo_eval_operator.runtime.metrics import Metrics
from nemo_eval_operator.workqueue import WorkQueue

PATH = f"/apis/evaluator.nemo.dev/v1alpha1/{EVALJOB_PLURAL}"


def job(name: str) -> ObjectKey:
    return ObjectKey(EVALJOB_PLURAL, "team-a", name)


class Lists:
    """An API server that lists the objects of these uids, one on a page; `broken`: it answers 500."""

    def __init__(self, *uids: str) -> None:
        self.uids = list(uids)
        self.broken = False
        self.accepted: list[str] = []
        transport = httpx.MockTransport(self._answer)
        self.client = KubeClient(
            OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=transport))
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.broken:
            return httpx.Response(500, json={"kind": "Status", "message": "no"})
        self.accepted.append(request.headers["accept"])
        uids = self.uids if request.url.path == PATH else []
        index = int(request.url.params.get("continue") or 0)
        meta = {"continue": str(index + 1)} if index + 1 < len(uids) else {}
        items = [{"metadata": {"uid": uid}} for uid in uids[index : index + 1]]
        return httpx.Response(200, json={"metadata": meta, "items": items})


def context(changes: Changes, queue: WorkQueue, metrics: Metrics) -> Context:
    return Context(
        queue=queue,
        credentials=None,  # type: ignore[arg-type]  # no login
        is_noted=lambda _uid, _version: False,
        watch_liveness=WatchLiveness(Heartbeats(), namespaces=False),
        metrics=metrics,
        changes=changes,
    )


async def compare(changes: Changes, lists: Lists, metrics: Metrics | None = None) -> WorkQueue:
    queue = WorkQueue()
    whole = context(changes, queue, metrics or Metrics())
    await forget_vanished(whole, lists.client, [], LabelSelector.parse(""))
    return queue


async def test_an_object_that_no_list_has_any_more_is_forgotten_and_looked_at() -> None:
    changes, metrics = Changes(), Metrics()
    for name in ("kept", "vanished"):
        changes.worth_a_look(f"uid-{name}", job(name), 1)
        metrics.job_seen(f"uid-{name}", "Running")

    queue = await compare(changes, Lists("uid-other", "uid-kept"), metrics)

    assert changes.of_kind(EVALJOB_PLURAL) == {"uid-kept": job("kept")}
    assert (queue.holds(job("vanished")), queue.holds(job("kept"))) == (True, False)
    assert 'phase="Running"} 1.0' in metrics.exposition().decode()


async def test_a_job_that_was_deleted_between_the_starts_list_and_the_watch_is_forgotten() -> None:
    changes = Changes()
    for name in ("kept", "vanished"):
        changes.expect(f"uid-{name}", job(name))
    assert changes.worth_a_look("uid-kept", job("kept"), 1), "what the watch shows first is news all the same"
    changes.expect("uid-kept", job("kept"))
    assert not changes.worth_a_look("uid-kept", job("kept"), 1)

    queue = await compare(changes, Lists("uid-kept"))

    assert changes.of_kind(EVALJOB_PLURAL) == {"uid-kept": job("kept")}
    assert (queue.holds(job("vanished")), queue.holds(job("kept"))) == (True, False)


async def test_only_metadata_is_read() -> None:
    lists = Lists("uid-kept")
    await compare(Changes(), lists)
    assert all("as=PartialObjectMetadataList" in accepted for accepted in lists.accepted)


async def test_a_list_that_cannot_be_read_forgets_nothing() -> None:
    changes, lists = Changes(), Lists()
    changes.worth_a_look("uid-1", job("a"), 1)
    lists.broken = True
    queue = await compare(changes, lists)
    assert changes.of_kind(EVALJOB_PLURAL) == {"uid-1": job("a")}
    assert not queue.holds(job("a"))


def test_of_two_objects_of_one_name_the_later_counts() -> None:
    changes = Changes()
    for uid in ("old", "new"):
        changes.worth_a_look(uid, job("a"), 1)
    assert not changes.forget("old", job("a"))
    assert changes.forget("new", job("a"))
