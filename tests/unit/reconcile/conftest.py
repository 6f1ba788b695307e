"""Fixtures of all tests of reconcilers."""

from __future__ import annotations

import pytest

from nemo_eval_operator.sessions import job_search as search


@pytest.fixture(autouse=True)
def _look_ups_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search for lost jobs without pauses; test_job_search holds how often a list is read."""
    for name in ("GATHER_SECONDS", "REST_SECONDS", "SWEEP_SHARE", "MAX_NAMESPACE_REST_SECONDS"):
        monkeypatch.setattr(search, name, 0)
