"""The text of a failure is found wherever a server puts it."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_eval_operator.evaluator.model import RemoteJob

TEXT = "dataset not found"

PLACES: dict[str, dict[str, Any]] = {
    "status_details.message": {"status_details": {"message": TEXT}},
    "status_details.error": {"status_details": {"message": None, "error": TEXT}},
    "status_details.detail": {"status_details": {"message": "", "detail": TEXT}},
    "status_details.error.message": {"status_details": {"error": {"type": "ValueError", "message": TEXT}}},
    "status_details, a plain string": {"status_details": TEXT},
    "status_details, a list": {"status_details": [TEXT]},
    "error": {"status_details": {"message": None, "progress": 50}, "error": TEXT},
    "error.message": {"status_details": {}, "error": {"code": 7, "message": TEXT}},
    "error_details.message": {"error_details": {"message": TEXT}},
    "detail": {"status_details": None, "detail": TEXT},
    "detail, as FastAPI has it": {"detail": [{"loc": ["body"], "msg": TEXT, "type": "missing"}]},
    "message": {"message": TEXT},
}


@pytest.mark.parametrize("place", PLACES)
def test_the_text_of_a_failure_is_found(place: str) -> None:
    job = RemoteJob.model_validate({"id": "eval-1", "status": "failed", **PLACES[place]})
    assert (job.message, job.readable_message) == (TEXT, TEXT)


def test_the_documented_place_comes_first() -> None:
    details = {"message": TEXT, "error": "exit code 1"}
    job = RemoteJob.model_validate({"id": "eval-1", "status_details": details, "error": "exit code 1"})
    assert job.message == TEXT


def test_a_text_elsewhere_changes_no_progress() -> None:
    details = {"progress": 40.0, "samples_processed": 8}
    job = RemoteJob.model_validate({"id": "eval-1", "status_details": details, "error": TEXT})
    assert (job.status_details.progress, job.status_details.samples_processed) == (40.0, 8)


@pytest.mark.parametrize("nonsense", [None, 7, [], {}, "", "  ", [[[[[TEXT]]]]], {"message": {}}])
def test_what_holds_no_text_is_none(nonsense: object) -> None:
    job = RemoteJob.model_validate({"id": "eval-1", "status_details": nonsense, "error": nonsense})
    assert job.readable_message is None
