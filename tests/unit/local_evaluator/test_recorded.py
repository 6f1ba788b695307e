"""What NVIDIA's own servers were recorded to answer: the same requests have answers of the same shape here.

The recordings are from the notebooks that NVIDIA publishes, with servers of 25.06 to 25.08. "…" stands for
what a recording leaves out, or what differs by its nature: a place for files, the text of a log.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.local_evaluator.harness import Evaluator

RECORDINGS = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parent / "recorded").glob("*.json"))
}

_KINDS = "model|dataset|eval|eval-config|eval-target|evaluation_result"
_ID = re.compile(rf"({_KINDS})-[1-9A-HJ-NP-Za-km-z]{{20,22}}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")

_MORE = ("stats", "qa")
"""Objects in which this server says more than the recordings: statistics, and a task's samples."""


@pytest.mark.parametrize("recording", RECORDINGS)
async def test_answers_have_the_shape_of_nvidia_s(server: Evaluator, recording: str) -> None:
    job = ""
    for exchange in RECORDINGS[recording]:
        path = exchange["path"].format(job=job)
        if "until" in exchange:
            await server.reaches(job, exchange["until"])
        reply = await server.http.request(
            exchange["method"], f"/v1/evaluation/{path}", json=exchange.get("body")
        )
        answer = reply.json()
        assert_alike(answer, exchange["answer"], place=path)
        if path.startswith("jobs") and not job:
            job = answer["id"]


def assert_alike(answer: Any, recorded: Any, *, place: str) -> None:
    if recorded == "…":
        return
    if isinstance(recorded, dict):
        assert isinstance(answer, dict), place
        if place.rpartition(".")[2] in _MORE:
            assert answer.keys() >= recorded.keys(), place
        else:
            assert answer.keys() == recorded.keys(), place
        for key, value in recorded.items():
            assert_alike(answer[key], value, place=f"{place}.{key}")
    elif isinstance(recorded, list):
        assert len(answer) == len(recorded), place
        for number, value in enumerate(recorded):
            assert_alike(answer[number], value, place=f"{place}.{number}")
    else:
        assert _plain(answer) == _plain(recorded), place


def _plain(value: object) -> object:
    """Ids by their prefix, times by their form, all else as it is."""
    if not isinstance(value, str):
        return value
    return _TIME.sub("<time>", _ID.sub(r"\1-<id>", value))


def test_there_are_recordings() -> None:
    assert len(RECORDINGS) >= 6
