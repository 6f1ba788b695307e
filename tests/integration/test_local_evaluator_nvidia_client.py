"""NVIDIA's own client against the real server process, which evaluates a model on a real socket."""

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from nemo_microservices import BadRequestError, ConflictError, NeMoMicroservices, NotFoundError
from typing_extensions import override

ROWS = [{"question": "2+2", "answer": "4"}, {"question": "3+3", "answer": "6"}]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Sums(BaseHTTPRequestHandler):
    """An OpenAI endpoint that can add; asked to wait, it does, until the test is over."""

    over = threading.Event()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"]
        if question == "wait":
            self.over.wait(30)
            return
        answer = str(sum(map(int, question.split("+"))))
        reply = json.dumps({"choices": [{"message": {"role": "assistant", "content": answer}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sums)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    Sums.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("evaluator")
    (directory / "sums.json").write_text(json.dumps(ROWS))
    (directory / "wait.json").write_text('[{"question": "wait", "answer": ""}]')
    return directory


@pytest.fixture(scope="module")
def client(data: Path) -> Iterator[NeMoMicroservices]:
    command = [sys.executable, "-m", "nemo_local_evaluator", "serve", "--data", str(data), "--port", "0"]
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        listening = (re.search(r"running on (http://\S+)", line) for line in process.stderr)
        address = next(match[1] for match in listening if match)
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        with NeMoMicroservices(base_url=address, max_retries=0) as client:
            yield client
        process.terminate()
        process.wait(10)
        drain.join()


def config(dataset: str) -> Any:
    task = {
        "type": "chat-completion",
        "dataset": {"files_url": f"file://{dataset}.json"},
        "params": {"template": {"messages": [{"role": "user", "content": "{{item.question}}"}]}},
        "metrics": {
            "right": {
                "type": "string-check",
                "params": {"check": ["{{sample.output_text}}", "equals", "{{item.answer}}"]},
            }
        },
    }
    return {"type": "custom", "tasks": {"sums": task}}


def target(model_url: str) -> Any:
    return {
        "type": "model",
        "model": {"api_endpoint": {"url": model_url, "model_id": "sums", "api_key": "k"}},
    }


def wait(client: NeMoMicroservices, job_id: str, *statuses: str) -> str:
    deadline = time.monotonic() + 15
    while (status := str(client.evaluation.jobs.retrieve(job_id).status)) not in statuses:
        assert time.monotonic() < deadline, status
        time.sleep(0.02)
    return status


def test_an_evaluation_from_end_to_end(client: NeMoMicroservices, model_url: str) -> None:
    client.evaluation.configs.create(**config("sums"), name="sums", namespace="team")
    created = client.evaluation.targets.create(**target(model_url), name="adder", namespace="team")
    assert created.model_dump()["model"]["api_endpoint"]["api_key"] == "******"

    job = client.evaluation.jobs.create(
        config="team/sums", target="team/adder", namespace="team", custom_fields={"k8s-uid": "u-1"}
    )
    assert job.id is not None
    assert wait(client, job.id, "completed", "failed") == "completed"

    status = client.evaluation.jobs.status(job.id)
    assert (status.progress, status.samples_processed) == (100.0, 2)
    results = client.evaluation.jobs.results(job.id)
    assert results.tasks is not None
    metrics = results.tasks["sums"].metrics
    assert metrics is not None
    scores = metrics["right"].scores
    assert scores is not None
    score = scores["string-check"]
    assert score.value == 1.0
    assert score.stats is not None
    assert score.stats.count == 2

    found = client.evaluation.jobs.list(
        filter={"target": "team/adder", "custom_fields": {"k8s-uid": "u-1"}}, page_size=5, sort="-created_at"
    )
    assert [one.id for one in found] == [job.id]
    assert list(client.evaluation.jobs.list(filter={"status": "failed", "namespace": "team"})) == []

    client.evaluation.jobs.delete(job.id)
    with pytest.raises(NotFoundError):
        client.evaluation.jobs.retrieve(job.id)


def test_configs_and_targets_are_listed_changed_and_deleted(
    client: NeMoMicroservices, model_url: str
) -> None:
    for name in ("one", "two", "three"):
        client.evaluation.configs.create(type="gsm8k", name=name, namespace="pages")
    with pytest.raises(ConflictError, match="already exists"):
        client.evaluation.configs.create(type="gsm8k", name="one", namespace="pages")
    # Two to a page: the client turns the page by itself.
    listed = client.evaluation.configs.list(filter={"namespace": "pages"}, page_size=2, sort="created_at")
    assert [one.name for one in listed] == ["one", "two", "three"]

    changed = client.evaluation.configs.update("one", path_namespace="pages", params={"limit_samples": 3})
    assert changed.params is not None
    assert changed.params.limit_samples == 3
    assert client.evaluation.configs.retrieve("one", namespace="pages").params == changed.params
    deleted = client.evaluation.configs.delete("one", namespace="pages")
    assert (deleted.id, deleted.message) == (changed.id, "Resource deleted successfully.")
    with pytest.raises(NotFoundError):
        client.evaluation.configs.retrieve("one", namespace="pages")

    client.evaluation.targets.create(**target(model_url), name="t", namespace="pages")
    described = client.evaluation.targets.update("t", namespace="pages", description="an adder")
    assert described.description == "an adder"
    assert [one.name for one in client.evaluation.targets.list(filter={"namespace": "pages"})] == ["t"]
    client.evaluation.targets.delete("t", namespace="pages")


def test_a_job_is_cancelled_while_its_model_keeps_silent(client: NeMoMicroservices, model_url: str) -> None:
    job = client.evaluation.jobs.create(config=config("wait"), target=target(model_url))
    assert job.id is not None
    wait(client, job.id, "running")
    client.evaluation.jobs.cancel(job.id)
    assert wait(client, job.id, "cancelled", "completed", "failed") == "cancelled"
    with pytest.raises(NotFoundError, match="no results"):
        client.evaluation.jobs.results(job.id)


def completed(client: NeMoMicroservices, model_url: str) -> str:
    job = client.evaluation.jobs.create(config=config("sums"), target=target(model_url))
    assert job.id is not None
    assert wait(client, job.id, "completed", "failed") == "completed"
    return job.id


def test_logs_and_results_are_downloaded(client: NeMoMicroservices, model_url: str) -> None:
    job_id = completed(client, model_url)
    # The client calls the logs an object, and would make text of the ZIP file: its raw answer has the bytes.
    logs = client.evaluation.jobs.with_raw_response.download_logs(job_id).read()
    assert names_in(logs) == {"log.txt"}
    results = client.evaluation.jobs.download_results(job_id).read()
    assert names_in(results) == {"job.json", "results.json", "log.txt", "samples/sums.jsonl"}
    assert client.evaluation.jobs.download_logs(job_id) is not None


def names_in(archive: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return set(files.namelist())


def test_results_are_entities_of_their_own(client: NeMoMicroservices, model_url: str) -> None:
    job_id = completed(client, model_url)
    own = [one.id for one in client.evaluation.results.list(filter={"job_id": job_id})]
    assert own == [client.evaluation.jobs.retrieve(job_id).result]

    created = client.evaluation.results.create(
        job=job_id,
        namespace="team",
        tasks={"extra": {"metrics": {"m": {"scores": {"s": {"value": 0.5}}}}}},
        custom_fields={"by": "hand"},
    )
    assert created.id is not None
    assert client.evaluation.results.retrieve(created.id) == created
    found = client.evaluation.results.list(search={"job": job_id, "namespace": "tea"}, sort="created_at")
    assert [one.id for one in found] == [created.id]
    changed = client.evaluation.results.update(created.id, description="checked")
    assert (changed.description, changed.tasks) == ("checked", created.tasks)
    assert client.evaluation.results.delete(created.id).id == created.id
    with pytest.raises(NotFoundError):
        client.evaluation.results.retrieve(created.id)


def test_searches_are_understood_as_the_client_writes_them(client: NeMoMicroservices, model_url: str) -> None:
    job_id = completed(client, model_url)
    client.evaluation.configs.create(type="gsm8k", name="haystack", namespace="searched")
    client.evaluation.configs.create(type="mmlu", name="needle", namespace="searched")
    client.evaluation.targets.create(**target(model_url), name="pin", namespace="searched")
    configs = client.evaluation.configs.list(
        search={"name": ["needle", "hay"], "namespace": "search", "created_at": {"start": LONG_AGO}}
    )
    assert [one.name for one in configs] == ["needle", "haystack"]
    targets = client.evaluation.targets.list(search={"model": "sums", "type": ["model"], "name": "pi"})
    assert [one.name for one in targets] == ["pin"]
    jobs = client.evaluation.jobs.list(search={"id": job_id, "status": ["completed", "failed"]})
    assert [one.id for one in jobs] == [job_id]
    jobs = client.evaluation.jobs.list(
        filter={
            "config": {"type": "custom"},
            "target": {"type": "model"},
            "created_at": {"gte": "2020-01-01"},
        },
        search={"id": job_id},
    )
    assert [one.id for one in jobs] == [job_id]


def test_live_evaluation_answers_at_once(client: NeMoMicroservices) -> None:
    check: Any = {"type": "string-check", "params": {"check": ["{{item.x}}", "equals", "1"]}}
    live = client.evaluation.live(
        config={"type": "custom", "tasks": {"qa": {"type": "data", "metrics": {"right": check}}}},
        target={"type": "rows", "rows": [{"x": "1"}, {"x": "2"}]},
    )
    assert live.status == "completed"
    assert live.result is not None
    assert live.result.tasks is not None
    metrics = live.result.tasks["qa"].metrics
    assert metrics is not None
    scores = metrics["right"].scores
    assert scores is not None
    assert scores["string-check"].value == 0.5
    with pytest.raises(BadRequestError, match="configs of type 'custom'"):
        client.evaluation.live(config={"type": "gsm8k"}, target={"type": "rows", "rows": []})
