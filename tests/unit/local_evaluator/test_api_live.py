"""Live evaluation: answered at once, kept nowhere, and only for what is small."""

from typing import Any

import pytest

from tests.unit.local_evaluator.harness import (
    Evaluator,
    chat_config,
    data_config,
    model_target,
    rows_target,
    string_check,
)

CONTAINS = data_config(string_check("{{some_output}}", "contains", "{{expected}}"))
ROW = {"some_input": "Do you agree?", "some_output": "yes", "expected": "yes"}


async def live(server: Evaluator, config: object, target: object) -> dict[str, Any]:
    reply = await server.http.post("/v1/evaluation/live", json={"config": config, "target": target})
    assert reply.status_code == 200, reply.text
    document: dict[str, Any] = reply.json()
    return document


async def test_rows_are_scored_while_the_caller_waits(server: Evaluator) -> None:
    answer = await live(server, CONTAINS, rows_target(ROW, ROW | {"some_output": "no"}))
    assert answer["status"] == "completed"
    assert answer["status_details"] == {
        "message": "Job completed successfully.",
        "task_status": {"qa": "completed"},
        "progress": 100.0,
        "samples_processed": 2,
    }
    assert answer["result"]["job"].startswith("eval-")
    assert answer["result"]["tasks"]["qa"]["metrics"]["score"]["scores"]["string-check"]["value"] == 0.5
    assert answer["logs"]["messages"]


async def test_nothing_of_it_is_kept(server: Evaluator) -> None:
    answer = await live(server, CONTAINS, rows_target(ROW))
    for kind in ("configs", "targets", "jobs", "results"):
        assert (await server.get(kind))["data"] == []
    await server.refused(404, "GET", f"jobs/{answer['result']['job']}")
    await server.refused(404, "GET", f"results/{answer['result']['id']}")


async def test_stored_configs_and_datasets_will_do(server: Evaluator) -> None:
    await server.create("configs", CONTAINS | {"name": "c", "params": {"limit_samples": 1}})
    dataset = server.dataset("rows.json", [ROW, ROW])
    answer = await live(server, "default/c", {"type": "dataset", "dataset": dataset})
    assert (answer["status"], answer["status_details"]["samples_processed"]) == ("completed", 1)


@pytest.mark.parametrize(
    ("config", "target", "reason"),
    [
        ({"type": "gsm8k"}, rows_target(ROW), "configs of type 'custom', not 'gsm8k'"),
        (
            chat_config({"files_url": "file://x.json"}),
            rows_target(ROW),
            "type of task 'qa' is 'chat-completion'",
        ),
        (data_config(), model_target(), "targets of type rows or dataset, not 'model'"),
        ({"type": "custom"}, rows_target(ROW), "config has no tasks"),
        (data_config({"type": "telepathy"}), rows_target(ROW), "telepathy"),
        (data_config(), {"type": "dataset", "dataset": "file://nowhere.json"}, "does not exist"),
        (data_config(), rows_target(*[{"x": 1}] * 1001), "more than 1000 rows; create a job"),
    ],
)
async def test_what_is_no_live_evaluation_is_refused(
    server: Evaluator, config: dict[str, Any], target: dict[str, Any], reason: str
) -> None:
    assert reason in await server.refused(400, "POST", "live", {"config": config, "target": target})


async def test_a_large_dataset_is_refused_and_a_part_of_it_is_not(server: Evaluator) -> None:
    target = {"type": "dataset", "dataset": server.dataset("rows.json", [ROW] * 1500)}
    assert "1000 rows" in await server.refused(400, "POST", "live", {"config": CONTAINS, "target": target})
    part = CONTAINS | {"params": {"limit_samples": 1000}}
    assert (await live(server, part, target))["status_details"]["samples_processed"] == 1000


async def test_an_evaluation_that_fails_says_why(server: Evaluator) -> None:
    answer = await live(server, data_config(string_check("{{item.absent}}", "equals", "x")), rows_target(ROW))
    assert (answer["status"], answer["result"]) == ("failed", None)
    assert "absent" in answer["status_details"]["message"]


async def test_references_must_exist(server: Evaluator) -> None:
    body = {"config": "default/none", "target": rows_target(ROW)}
    assert "not found" in await server.refused(404, "POST", "live", body)
