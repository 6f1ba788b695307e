"""The scores of all items come from download-results where the document has only the first of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from zipfile import ZipFile

import httpx
import pytest

from nemo_eval_operator.gates import Evidence
from nemo_eval_operator.kept_evidence import load_evidence
from nemo_eval_operator.reconcile.job.evidence import EvidenceStore
from nemo_eval_operator.reconcile.job.results import MAX_FILES_TRIES, ResultsKeeper, ResultsNotKept
from nemo_eval_operator.reconcile.secrets import SecretReader
from nemo_eval_operator.workqueue import ObjectStates
from tests.unit.evaluator.scripted import Scripted
from tests.unit.gates.documents import document, stats
from tests.unit.lifecycle.objects import evaljob, followed
from tests.unit.reconcile.api_server import CONFIG_MAPS, ApiServer

SCORES = [1.0, 0.0, 1.0, 1.0]
SAMPLES = [
    {"item": {"question": number}, "scores": {"answered": {"string-check": score}}}
    for number, score in enumerate(SCORES)
]
JOB = evaljob(status=followed())
NAMESPACE = JOB.metadata.namespace


def archive() -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as files:
        files.writestr("samples/qa.jsonl", "".join(json.dumps(sample) + "\n" for sample in SAMPLES))
    return buffer.getvalue()


Download = Callable[[int], httpx.Response]
"""The answer to the request for the files with this number, from 1 on."""


class Run:
    """One completed run, whose evaluator keeps the samples in its files."""

    def __init__(self, download: Download) -> None:
        self.server = ApiServer()
        self.downloads = 0
        self._download = download
        self._client = Scripted(self._answer).client
        self._store = EvidenceStore(self.server.client)
        self._keeper = ResultsKeeper(
            self.server.client, SecretReader(self.server.client), ObjectStates(), self._store
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/results"):
            return httpx.Response(200, json={"job": "eval-1", "groups": {}, **document(stats(SCORES))})
        self.downloads += 1
        return self._download(self.downloads)

    async def collect(self) -> Evidence:
        """Return the evidence that is kept."""
        stored = await self._keeper.collect(self._client, JOB, "eval-1")
        return await load_evidence(self.server.client, NAMESPACE, stored.evidence, None)

    def config_maps(self) -> list[str]:
        return [path for path in self.server.documents if path.startswith(CONFIG_MAPS)]


def is_whole(evidence: Evidence) -> bool:
    (score,) = evidence.scores
    return score.has_all_items


def given(_number: int) -> httpx.Response:
    return httpx.Response(200, content=archive())


async def test_the_files_give_the_scores_of_all_items() -> None:
    assert is_whole(await Run(given).collect())


async def test_what_was_kept_before_a_crash_is_used_again() -> None:
    run = Run(given)
    first = await run.collect()
    names = run.config_maps()

    assert await run.collect() == first
    assert run.config_maps() == names
    assert len(names) == 2, "results and evidence"


def reset() -> httpx.Response:
    raise httpx.ReadError("connection reset")


@pytest.mark.parametrize(
    "failure",
    [lambda: httpx.Response(503), lambda: httpx.Response(500), lambda: httpx.Response(429), reset],
    ids=["503", "500", "429", "reset"],
)
async def test_one_failure_does_not_leave_a_run_without_its_items(
    failure: Callable[[], httpx.Response],
) -> None:
    run = Run(lambda number: failure() if number == 1 else given(number))

    with pytest.raises(ResultsNotKept) as waits:
        await run.collect()

    assert "download-results" in str(waits.value)
    assert not waits.value.given_up
    assert [path.rpartition("-")[2] for path in run.config_maps()] == ["results"], "these are kept already"
    assert is_whole(await run.collect())


async def test_a_run_ends_without_its_items_where_they_cannot_be_had() -> None:
    run = Run(lambda _: httpx.Response(503))

    for _ in range(MAX_FILES_TRIES - 1):
        with pytest.raises(ResultsNotKept):
            await run.collect()

    assert not is_whole(await run.collect())
    assert run.downloads == MAX_FILES_TRIES


@pytest.mark.parametrize("status", [401, 403, 404, 405, 409, 501])
async def test_files_that_are_not_offered_are_requested_once(status: int) -> None:
    run = Run(lambda _: httpx.Response(status))

    assert not is_whole(await run.collect())
    assert run.downloads == 1


async def test_files_that_cannot_be_read_are_requested_once() -> None:
    run = Run(lambda _: httpx.Response(200, content=b"<html>"))

    assert not is_whole(await run.collect())
    assert run.downloads == 1
