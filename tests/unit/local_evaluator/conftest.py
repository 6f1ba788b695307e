from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.local_evaluator.harness import Evaluator, FakeModel, evaluator


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
async def server(tmp_path: Path, model: FakeModel) -> AsyncIterator[Evaluator]:
    async with evaluator(tmp_path, model) as running:
        yield running
