"""Configs of the shapes that NVIDIA's tutorials, notebooks and blueprints have, run to their right scores.

Each directory of `configs` holds a config, a target and their datasets, and in `expected.yaml` the scores, by
task and metric, and for some also fields of the requests that the model receives.
"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.unit.local_evaluator.harness import FakeModel, chat_reply, echo, evaluator

CONFIGS = {
    path.parent.name: path.parent for path in (Path(__file__).parent / "configs").glob("*/config.yaml")
}
FIXED = "fixed:"
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}


async def as_named(request: httpx.Request) -> httpx.Response:
    """Answer as the name of the model says: `fixed:TEXT`, `tool` for a call, any other as `echo`."""
    model = json.loads(request.content)["model"]
    if model.startswith(FIXED):
        return chat_reply(model.removeprefix(FIXED))
    if model == "tool":
        message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
        return httpx.Response(200, json={"choices": [{"message": message}]})
    return await echo(request)


@pytest.mark.parametrize("name", sorted(CONFIGS))
async def test_config_has_its_scores(tmp_path: Path, name: str) -> None:
    config, target, expected = (
        yaml.safe_load((CONFIGS[name] / f"{part}.yaml").read_text())
        for part in ("config", "target", "expected")
    )
    model = FakeModel(answer=as_named)
    async with evaluator(tmp_path, model, allow_paths=(CONFIGS[name],)) as server:
        job = await server.run(config, target)
        assert job["status"] == "completed", job["status_details"]
        result = await server.get(f"jobs/{job['id']}/results")
    assert values(result["tasks"]) == approximately(expected["scores"])
    for request, fields in zip(model.bodies, expected.get("requests", model.bodies), strict=True):
        assert request.items() >= fields.items()


def values(tasks: dict[str, Any]) -> dict[str, Any]:
    return {
        task: {
            metric: {score: one["value"] for score, one in scores["scores"].items()}
            for metric, scores in entry["metrics"].items()
        }
        for task, entry in tasks.items()
    }


def approximately(scores: dict[str, Any]) -> dict[str, Any]:
    return {
        task: {metric: pytest.approx(expected, rel=1e-4) for metric, expected in metrics.items()}
        for task, metrics in scores.items()
    }
