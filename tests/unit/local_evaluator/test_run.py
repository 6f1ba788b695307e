"""`nemo-local-evaluator run`: through the real command, to its output, files and exit codes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner, Result
from typing_extensions import override

from nemo_local_evaluator.cli import app
from nemo_local_evaluator.evaluations import Progress
from nemo_local_evaluator.oneshot import Report
from tests.unit.local_evaluator.harness import data_config, rows_target, string_check

CONFIG = data_config(string_check("{{item.answer}}", "equals", "{{item.output}}"))
ROWS = [{"answer": "Paris", "output": "Paris"}, {"answer": "Rome", "output": "Bern"}, {"answer": "Oslo"}]
DATASET_TARGET = json.dumps({"type": "dataset", "dataset": {"files_url": "file://rows.jsonl"}})

TABLE = """\
TASK   METRIC   SCORE          VALUE   COUNT   STDERR   NAN
───────────────────────────────────────────────────────────
qa     score    string-check     0.5       2     0.35     1
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a config and its dataset."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["run", *map(str, arguments)])


def printed(result: Result) -> str:
    """Standard output without the blanks that fill up columns."""
    assert result.exit_code == 0, result.stderr
    return "".join(line.rstrip() + "\n" for line in result.stdout.splitlines())


def chat_reply(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}]}).encode()


@contextmanager
def model(answer: Callable[[], bytes]) -> Iterator[str]:
    """The URL of a model endpoint on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(b'{"data": []}')

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(answer())

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


CHAT_CONFIG: dict[str, Any] = {
    "type": "custom",
    "tasks": {
        "qa": {
            "type": "chat-completion",
            "dataset": "file://rows.jsonl",
            "params": {"template": {"messages": [{"role": "user", "content": "{{item.answer}}"}]}},
            "metrics": {"score": string_check("{{sample.output_text}}", "equals", "{{item.answer}}")},
        }
    },
}


def test_scores_are_printed_as_a_table(home: Path) -> None:
    assert printed(run(home / "config.yaml", "--target", DATASET_TARGET)) == TABLE


def test_groups_and_scores_without_statistics_have_lines_too(home: Path) -> None:
    task = {"type": "ragas", "metrics": {"recall_5": {"type": "recall_5"}}}
    config = {"type": "rag", "tasks": {"long name of a task": task}, "groups": {"all": {}}}
    (home / "config.yaml").write_text(yaml.safe_dump(config))
    target = rows_target({"contexts": ["Paris."], "ground_truths": ["paris"]})
    assert (
        printed(run(home / "config.yaml", "--target", json.dumps(target)))
        == """\
TASK                  METRIC               SCORE      VALUE   COUNT   STDERR   NAN
──────────────────────────────────────────────────────────────────────────────────
long name of a task   retriever.recall_5   recall_5       1       1        0
group all             evaluation           recall_5       1       1        0
"""
    )


def test_a_metric_without_a_number_has_a_line_too_and_is_named_at_the_end(home: Path) -> None:
    config = data_config(
        CONFIG["tasks"]["qa"]["metrics"]["score"], string_check("{{item.gone}}", "equals", "x")
    )
    (home / "config.yaml").write_text(yaml.safe_dump(config))
    result = run(home / "config.yaml", "--target", DATASET_TARGET)
    assert printed(result).splitlines()[3].split() == ["qa", "score-2", "none", "0", "3"]
    last = result.stderr.splitlines()[-1]
    assert last.startswith(
        "Job completed without some scores: task 'qa': metric 'score-2' could be computed for"
    )


def test_progress_is_printed_on_standard_error(home: Path) -> None:
    result = run(home / "config.yaml", "--target", DATASET_TARGET)
    lines = result.stderr.splitlines()
    assert lines[0] == f"Evaluating {home / 'config.yaml'} (type custom) on target: dataset"
    assert lines[1] == "task 'qa' is running: 3 samples"
    assert lines[-1] == "task 'qa' is completed: 2 of 3 samples without an error"
    assert "100 % (3 of 3 samples)" in lines
    assert any(line.startswith("task 'qa', sample 3: metric 'score': template") for line in lines)


def test_a_terminal_is_shown_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Console(file=StringIO(), force_terminal=True, width=100, legacy_windows=False)
    with Report(terminal) as report:
        report.progress(Progress({"first": "completed", "qa": "running"}, processed=30, total=120))
        report.log("task 'qa', sample 7: no answer")
    assert isinstance(terminal.file, StringIO)
    shown = terminal.file.getvalue()
    assert "qa" in shown
    assert "30/120" in shown
    assert "task 'qa', sample 7: no answer" in shown
    assert "25 %" not in shown


def test_a_terminal_that_cannot_go_back_is_shown_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Console(file=StringIO(), force_terminal=True, width=100, legacy_windows=False)
    with Report(terminal) as report:
        report.progress(Progress({"qa": "running"}, processed=30, total=120))
    assert isinstance(terminal.file, StringIO)
    assert terminal.file.getvalue() == "25 % (30 of 120 samples)\n"


def test_messages_without_end_are_left_out(home: Path) -> None:
    target = rows_target(*[{"answer": str(number)} for number in range(50)], ROWS[0])
    result = run(home / "config.yaml", "--target", json.dumps(target))
    lines = result.stderr.splitlines()
    assert sum("sample" in line and "metric" in line for line in lines) < 20
    assert "More messages are not shown." in lines


def test_config_and_target_may_be_manifests_of_one_file(home: Path) -> None:
    benchmark = {"kind": "NemoBenchmark", "metadata": {"name": "b"}, "spec": {"config": CONFIG}}
    spec = {"benchmarkRef": {"name": "b"}, "target": json.loads(DATASET_TARGET)}
    job = {"kind": "NemoEvalJob", "metadata": {"name": "j"}, "spec": spec}
    (home / "both.yaml").write_text(yaml.safe_dump_all([benchmark, job]))
    assert printed(run(home / "both.yaml", "--target", home / "both.yaml")) == TABLE


def test_config_and_target_may_be_json_files(home: Path) -> None:
    (home / "config.json").write_text(json.dumps(CONFIG))
    (home / "target.json").write_text(DATASET_TARGET)
    assert printed(run(home / "config.json", "--target", home / "target.json")) == TABLE


def test_a_model_may_be_named(home: Path) -> None:
    (home / "config.yaml").write_text(yaml.safe_dump(CHAT_CONFIG))
    with model(lambda: chat_reply("Rome")) as url:
        (home / "models.json").write_text(json.dumps({"tiny": {"url": url}}))
        result = run(home / "config.yaml", "--target", "name=tiny", "--models", home / "models.json")
    output = printed(result)
    assert result.stderr.startswith(
        f"Evaluating {home / 'config.yaml'} (type custom) on target: model tiny\n"
    )
    assert "task 'qa' is completed: 3 of 3 samples without an error" in result.stderr
    assert output.splitlines()[2].split() == ["qa", "score", "string-check", "0.3333", "3", "0.27"]


def test_a_limit_takes_the_place_of_the_config_s(home: Path) -> None:
    (home / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "params": {"limit_samples": 2}}))
    output = printed(run(home / "config.yaml", "--target", DATASET_TARGET, "--limit", 1))
    assert output.splitlines()[2].split() == ["qa", "score", "string-check", "1", "1", "0"]


def test_results_are_written_with_their_samples(home: Path) -> None:
    printed(run(home / "config.yaml", "--target", DATASET_TARGET, "--output", home / "results.json"))
    results = json.loads((home / "results.json").read_text())
    assert results["groups"] == {}
    assert results["tasks"]["qa"]["metrics"]["score"]["scores"]["string-check"]["value"] == 0.5
    assert [sample["item"] for sample in results["tasks"]["qa"]["data"]["samples"]] == ROWS


def test_other_directories_are_read_where_they_are_allowed(home: Path) -> None:
    (home / "data").mkdir()
    (home / "rows.jsonl").rename(home / "data" / "rows.jsonl")
    (home / "configs").mkdir()
    (home / "config.yaml").rename(home / "configs" / "config.yaml")
    refused = run(home / "configs/config.yaml", "--target", DATASET_TARGET)
    assert refused.exit_code == 1
    assert "The evaluation failed: dataset 'rows.jsonl' does not exist" in refused.stderr
    arguments = ("--target", DATASET_TARGET, "--allow-path", home / "data")
    assert printed(run(home / "configs/config.yaml", *arguments)) == TABLE


def test_a_failed_evaluation_says_why(home: Path) -> None:
    result = run(home / "config.yaml", "--target", json.dumps(rows_target({"answer": "Oslo"})))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "The evaluation failed: task 'qa': metric 'score' could be computed for no sample" in result.stderr


@pytest.mark.parametrize(
    ("config", "target", "said"),
    [
        ("type: custom\ntasks: [", DATASET_TARGET, "is neither JSON nor YAML"),
        ("- 1", DATASET_TARGET, "holds list, not an object"),
        ("tasks: {qa: {}}", DATASET_TARGET, "is invalid: type: is required; tasks.qa.type:"),
        ("type: a\n---\ntype: b", DATASET_TARGET, "holds 2 documents; expected one, or one NemoBenchmark"),
        ("type: custom", '{"type": "shop"}', "--target is invalid: type: must be"),
        ("type: custom", "gone.yaml", "gone.yaml cannot be read: No such file or directory"),
    ],
)
def test_documents_that_are_none_are_refused(home: Path, config: str, target: str, said: str) -> None:
    (home / "config.yaml").write_text(config)
    result = run(home / "config.yaml", "--target", target)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


SCORED = {"qa": {"type": "data", "metrics": CONFIG["tasks"]["qa"]["metrics"]}}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"type": "custom", "tasks": {"qa": {"type": "data"}}},
            "task 'qa' has no metrics: add tasks.qa.metrics",
        ),
        (
            {"type": "custom", "tasks": {"qa": {"type": "data", "metric": {}}}},
            "config.tasks.qa.metric is not a field of NeMo's and would have no effect: did you mean metrics?",
        ),
        (
            {"type": "custom", "tasks": {"qa": {**SCORED["qa"], "colour": "red"}}},
            "config.tasks.qa.colour is not a field of NeMo's and would have no effect: remove it",
        ),
        ({"type": "custom", "tasks": SCORED, "param": {}}, "config.param is not a field of NeMo's"),
        (
            {"type": "gsm8k", "tasks": {"qa": {"type": "gsm8k", "dataset_": "x"}}},
            "config.tasks.qa.dataset_ is not a field of NeMo's",
        ),
    ],
)
def test_a_task_without_metrics_and_an_unknown_field_are_refused(
    home: Path, config: dict[str, Any], said: str
) -> None:
    (home / "config.yaml").write_text(yaml.safe_dump(config))
    result = run(home / "config.yaml", "--target", DATASET_TARGET)
    assert result.exit_code == 1
    assert f"The evaluation failed: {said}" in result.stderr


def test_a_config_as_a_server_answers_it_is_accepted(home: Path) -> None:
    written = {"id": "eval-config-1", "created_at": "2026-01-01T00:00:00", "schema_version": "1.0"}
    (home / "config.yaml").write_text(yaml.safe_dump(CONFIG | written | {"version_id": "main"}))
    assert printed(run(home / "config.yaml", "--target", DATASET_TARGET)) == TABLE


def test_dates_stay_what_was_written(home: Path) -> None:
    config = yaml.safe_dump(data_config(string_check("DAY", "equals", "{{item.day}}")))
    (home / "config.yaml").write_text(config.replace("DAY", "2026-11-24"))
    result = run(home / "config.yaml", "--target", json.dumps(rows_target({"day": "2026-11-24"})))
    assert printed(result).splitlines()[2].split()[3] == "1"


def test_an_interrupt_ends_it_while_a_model_is_asked(home: Path) -> None:
    (home / "config.yaml").write_text(yaml.safe_dump(CHAT_CONFIG))
    asked, answered = Event(), Event()

    def never() -> bytes:
        asked.set()
        answered.wait(60)
        return chat_reply("too late")

    with model(never) as url:
        target = {"type": "model", "model": {"api_endpoint": {"url": url, "model_id": "slow"}}}
        command = [sys.executable, "-m", "nemo_local_evaluator", "run", str(home / "config.yaml")]
        process = subprocess.Popen(
            [*command, "--target", json.dumps(target)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        assert asked.wait(60)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        answered.set()
    assert (process.returncode, stdout) == (130, "")
    assert stderr.endswith("The evaluation was interrupted.\n")
    assert "Traceback" not in stderr


def test_what_is_evaluated_is_shown_without_the_key_of_the_model(home: Path) -> None:
    (home / "config.yaml").write_text(yaml.safe_dump(CHAT_CONFIG))
    with model(lambda: chat_reply("Rome")) as url:
        endpoint = {"url": url, "model_id": "meta/llama", "api_key": "nvapi-secret"}
        target = {"type": "model", "model": {"api_endpoint": endpoint}}
        result = run(home / "config.yaml", "--target", json.dumps(target))
    assert "on target: model meta/llama\n" in result.stderr
    assert "nvapi-secret" not in result.stderr
