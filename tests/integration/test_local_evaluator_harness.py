"""Academic benchmarks by lm-eval itself: a child process, a task on a local dataset, a model on loopback."""

import asyncio
import json
import math
import select
import signal
import subprocess
import sys
import threading
import venv
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typing_extensions import override

from nemo_eval_operator.gates import evidence_of, gate_of, judge, samples_in
from nemo_local_evaluator.harness import Harness
from nemo_local_evaluator.harness import child as child_script
from tests.unit.local_evaluator.harness import TERMINAL, Evaluator, FakeModel, evaluator, model_target

ANSWERS = {
    "Capital of France?": "#### Paris",
    "Capital of Italy?": "#### Rome",
    "Capital of Spain?": "It is Madrid",
    "Capital of Portugal?": "#### Oslo",
}
CAPITALS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Portugal": "Lisbon"}
AVERAGE = {"metric": "exact_match", "weight_by_size": True, "filter_list": ["strict-match"]}


@dataclass
class LoopbackModel:
    """An endpoint that a child process can reach."""

    url: str = ""
    status: int = 200
    silent: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    asked: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)

    def reply(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        self.requests.append(body)
        self.keys.add(handler.headers["Authorization"])
        self.asked.set()
        if self.silent:
            # Readable, though nothing more is sent: the other end is closed.
            select.select([handler.connection], [], [])
            self.hung_up.set()
            return
        text = ANSWERS[body["messages"][-1]["content"].removeprefix("Think. ")]
        content = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]})
        if self.status != 200:
            content = f"no such key: {handler.headers['Authorization']}"
        handler.send_response(self.status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content.encode())


@pytest.fixture
def loopback() -> Iterator[LoopbackModel]:
    model = LoopbackModel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            model.reply(self)

        @override
        def log_message(self, format: str, *arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        model.url = f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield model
        server.shutdown()
        thread.join()


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of tasks in lm-eval's YAML, all on one dataset."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    directory = tmp_path / "tasks"
    directory.mkdir()
    rows = [{"question": f"Capital of {land}?", "answer": city} for land, city in CAPITALS.items()]
    (directory / "capitals.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "task": "capitals",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(directory / "capitals.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 99},
        # By name, flexible-extract would be first.
        "filter_list": [
            {"name": "strict-match", "filter": _extract("#### (.*)")},
            {"name": "flexible-extract", "filter": _extract("([A-Z][a-z]+)$")},
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    choices = {"task": "choices", "output_type": "multiple_choice", "doc_to_choice": ["Paris", "Rome"]}
    thinking = {"task": "capitals_thinking", "doc_to_text": "Think. {{question}}"}
    for variant in (task, task | thinking, task | choices, task | {"task": "coding", "unsafe_code": True}):
        (directory / f"{variant['task']}.yaml").write_text(yaml.safe_dump(variant))
    group = {"group": "geography", "task": ["capitals"], "aggregate_metric_list": [AVERAGE]}
    (directory / "geography.yaml").write_text(yaml.safe_dump(group))
    return directory


def _extract(pattern: str) -> list[dict[str, str]]:
    return [{"function": "regex", "regex_pattern": pattern}, {"function": "take_first"}]


@pytest.fixture
async def server(tmp_path: Path, tasks: Path) -> AsyncIterator[Evaluator]:
    async with serving(tmp_path, Harness(task_directories=(tasks,))) as running:
        yield running


@asynccontextmanager
async def serving(tmp_path: Path, harness: Harness) -> AsyncIterator[Evaluator]:
    async with evaluator(tmp_path / "data", FakeModel(), harness=harness) as running:
        yield running


async def run(
    server: Evaluator, model: LoopbackModel, task: str = "capitals", *, tasks: object = None, **params: Any
) -> dict[str, Any]:
    config = {"type": task, "tasks": tasks, "params": {"max_retries": 0, **params}}
    target = model_target(url=model.url, api_key="s3cret-key")
    return await ended(server, (await server.create("jobs", {"config": config, "target": target}))["id"])


async def ended(server: Evaluator, job_id: str) -> dict[str, Any]:
    # lm-eval takes many seconds to start, on a busy machine minutes.
    async with asyncio.timeout(600):
        while True:
            job = await server.get(f"jobs/{job_id}")
            if job["status"] in TERMINAL:
                return job
            await asyncio.sleep(0.05)


def log_of(server: Evaluator, job_id: str) -> str:
    return server.data.joinpath("jobs", job_id, "log.txt").read_text()


async def test_a_task_is_scored_as_by_hand(server: Evaluator, loopback: LoopbackModel) -> None:
    job = await run(
        server, loopback, temperature=0.25, top_p=0.5, max_tokens=7, stop="<end>", extra={"top_k": 1}
    )
    assert job["status"] == "completed", job["status_details"]
    details = job["status_details"]
    assert (details["message"], details["task_status"]) == ("Job completed successfully", {})
    result = await server.get(f"jobs/{job['id']}/results")
    # Strictly, two of four are right; Madrid counts where any last word may be the answer.
    assert result["tasks"] == {
        "exact_match": {
            "metrics": {
                "exact_match": {
                    "scores": {
                        "capitals-metric_ranking-1": {"value": 0.5},
                        "capitals-metric_ranking-3": {"value": 0.75},
                    }
                }
            }
        },
        "exact_match_stderr": {
            "metrics": {
                "exact_match_stderr": {
                    "scores": {
                        "capitals-metric_ranking-2": {"value": pytest.approx(math.sqrt(0.25 / 3))},
                        "capitals-metric_ranking-4": {"value": pytest.approx(math.sqrt(0.1875 / 3))},
                    }
                }
            }
        },
    }
    assert result["groups"] == {}
    asked = {"temperature": 0.25, "top_p": 0.5, "max_tokens": 7, "stop": ["<end>"], "top_k": 1}
    assert len(loopback.requests) == len(ANSWERS)
    assert all(asked.items() <= body.items() for body in loopback.requests)
    assert loopback.keys == {"Bearer s3cret-key"}
    samples = (server.data / "jobs" / job["id"] / "samples" / "capitals.jsonl").read_text().splitlines()
    assert len(samples) == 2 * len(ANSWERS)
    assert json.loads(samples[0])["item"]["question"] in ANSWERS


async def test_a_gate_pairs_the_items_of_two_runs_by_their_sample_logs(
    server: Evaluator, loopback: LoopbackModel
) -> None:
    runs = []
    for _ in range(2):
        job = await run(server, loopback)
        files = await server.http.get(f"/v1/evaluation/jobs/{job['id']}/download-results")
        samples = samples_in(files.content, lambda value: value)
        runs.append(evidence_of(await server.get(f"jobs/{job['id']}/results"), samples))
    strict, flexible = (f"capitals-metric_ranking-{rank}" for rank in (1, 3))
    gate = gate_of({"criteria": [{"score": name, "maxDrop": 0.5} for name in (strict, flexible)]})

    found = judge(gate, runs[1], runs[0]).criteria

    assert [(one.evidence, one.items, one.delta) for one in found] == [("Paired", len(ANSWERS), 0.0)] * 2
    assert [one.value for one in found] == [0.5, 0.75]


async def test_the_config_s_tasks_are_what_is_evaluated(server: Evaluator, loopback: LoopbackModel) -> None:
    extra = {"system_instruction": "'detailed thinking on'"}
    tasks = {"any name": {"type": "capitals_thinking"}}
    job = await run(server, loopback, tasks=tasks, limit_samples=2, extra=extra)
    assert job["status"] == "completed", job["status_details"]
    asked = {tuple(message["content"] for message in body["messages"]) for body in loopback.requests}
    assert asked == {
        ("detailed thinking on", "Think. Capital of France?"),
        ("detailed thinking on", "Think. Capital of Italy?"),
    }
    result = await server.get(f"jobs/{job['id']}/results")
    assert set(result["tasks"]["exact_match"]["metrics"]["exact_match"]["scores"]) == {
        "capitals_thinking-metric_ranking-1",
        "capitals_thinking-metric_ranking-3",
    }


async def test_a_group_has_scores_of_its_own(server: Evaluator, loopback: LoopbackModel) -> None:
    job = await run(server, loopback, "geography", limit_samples=2)
    assert job["status"] == "completed", job["status_details"]
    assert len(loopback.requests) == 2
    result = await server.get(f"jobs/{job['id']}/results")
    (group,) = result["groups"]["exact_match"]["metrics"]["exact_match"]["scores"].items()
    assert group == ("geography-metric_ranking-1", {"value": 1.0})
    tasks = result["tasks"]["exact_match"]["metrics"]["exact_match"]["scores"]
    assert tasks["capitals-metric_ranking-1"] == {"value": 1.0}


async def test_cancelling_stops_it(server: Evaluator, loopback: LoopbackModel) -> None:
    loopback.silent = True
    config = {"type": "capitals", "params": {"limit_samples": 1}}
    body = {"config": config, "target": model_target(url=loopback.url)}
    job = await server.create("jobs", body)
    assert await asyncio.to_thread(loopback.asked.wait, 180)
    response = await server.http.post(f"/v1/evaluation/jobs/{job['id']}/cancel")
    assert response.is_success
    assert (await ended(server, job["id"]))["status"] == "cancelled"
    assert await asyncio.to_thread(loopback.hung_up.wait, 10)


def test_it_does_not_outlive_the_server() -> None:
    with subprocess.Popen(
        [sys.executable, "-P", child_script.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as orphan:
        request = {"type": "gsm8k", "tasks": ["gsm8k"], "config_types": [], "task_directories": []}
        orphan.communicate(json.dumps(request).encode() + b"\n", timeout=60)
        assert orphan.returncode == -signal.SIGKILL


async def test_an_endpoint_that_fails_is_the_job_s_last_word(
    server: Evaluator, loopback: LoopbackModel
) -> None:
    loopback.status = 401
    job = await run(server, loopback)
    assert job["status"] == "failed"
    assert "lm-eval failed: " in job["status_details"]["message"]
    assert "401" in job["status_details"]["message"]
    log = log_of(server, job["id"])
    assert "no such key: Bearer ******" in log
    assert "s3cret-key" not in log


@pytest.mark.parametrize(
    ("task", "cause"),
    [
        ("coding", "task 'coding' runs code that the model writes"),
        (
            "choices",
            "task 'choices' needs log-likelihoods of given answers, which chat endpoints do not return",
        ),
    ],
)
async def test_what_cannot_be_run_is_said_in_words(
    server: Evaluator, loopback: LoopbackModel, task: str, cause: str
) -> None:
    job = await run(server, loopback, task)
    assert job["status"] == "failed"
    assert cause in job["status_details"]["message"]
    assert loopback.requests == []


async def test_an_unknown_task_names_those_that_are_near(server: Evaluator, loopback: LoopbackModel) -> None:
    job = await run(server, loopback, "gsm8")
    assert job["status"] == "failed"
    types = "agentic, custom, rag, retriever, similarity_metrics"
    assert (
        f"'gsm8' is neither a type of NeMo Evaluator ({types}) nor a task of lm-eval; did you mean gsm8k"
        in job["status_details"]["message"]
    )


async def test_a_type_is_never_a_path(server: Evaluator, tasks: Path) -> None:
    body = {"config": {"type": str(tasks / "capitals.yaml")}, "target": model_target()}
    assert "is a file path" in await server.refused(400, "POST", "jobs", body)


async def test_without_lm_eval_the_job_says_what_to_install(tmp_path: Path, loopback: LoopbackModel) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    async with serving(tmp_path, Harness(python=tmp_path / "bare" / "bin" / "python")) as server:
        job = await run(server, loopback, "gsm8k")
    assert job["status"] == "failed"
    message = job["status_details"]["message"]
    assert message == "lm_eval is missing: pip install 'nemo-local-evaluator[harness]'"
