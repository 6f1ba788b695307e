"""`nemo-local-evaluator run --gate`: the verdict of the operator's program decides the exit code."""

import json
import shutil
import sysconfig
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from nemo_local_evaluator.cli import app
from tests.unit.local_evaluator.harness import data_config, rows_target, string_check

NAME = "qa/score/string-check"
RIGHT, WRONG = {"answer": "Paris", "output": "Paris"}, {"answer": "Rome", "output": "Bern"}
GATE = {"criteria": [{"score": NAME, "minimum": 0.7}]}
COMPARED = {"criteria": [{"score": NAME, "maxDrop": 0.2}]}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a config and a gate."""
    monkeypatch.chdir(tmp_path)
    config = data_config(string_check("{{item.answer}}", "equals", "{{item.output}}"))
    Path("config.yaml").write_text(yaml.safe_dump(config))
    Path("gate.yaml").write_text(yaml.safe_dump(GATE))
    return tmp_path


def run(*arguments: str, right: int = 8, wrong: int = 2) -> Result:
    rows = [{**row, "number": number} for number, row in enumerate([RIGHT] * right + [WRONG] * wrong)]
    target = json.dumps(rows_target(*rows))
    return CliRunner().invoke(app, ["run", "config.yaml", "--target", target, *arguments])


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("right", "code", "headline"), [(8, 0, "Passed"), (5, 1, "Failed")])
def test_the_exit_code_is_the_verdict(right: int, code: int, headline: str) -> None:
    done = run("--gate", "gate.yaml", right=right, wrong=10 - right)

    assert done.exit_code == code, done.stderr
    table, _, verdict = done.stdout.partition(f"{headline}\n")
    assert table.startswith("TASK ")
    assert verdict == f"  {NAME}: {headline} (Critical). 0.{right}, minimum 0.7\n"


@pytest.mark.usefixtures("home")
def test_a_run_is_compared_with_an_earlier_one() -> None:
    Path("gate.yaml").write_text(yaml.safe_dump(COMPARED))
    assert run("--output", "few.json").exit_code == 0
    assert run("--output", "many.json", right=80, wrong=20).exit_code == 0

    few = run("--gate", "gate.yaml", "--baseline", "few.json")
    many = run("--gate", "gate.yaml", "--baseline", "many.json", right=80, wrong=20)

    assert (few.exit_code, "Inconclusive\n" in few.stdout) == (2, True), few.stderr
    assert (many.exit_code, "Passed\n" in many.stdout) == (0, True), many.stderr


@pytest.mark.usefixtures("home")
def test_a_gate_without_the_baseline_that_it_needs_is_inconclusive() -> None:
    Path("gate.yaml").write_text(yaml.safe_dump(COMPARED))
    done = run("--gate", "gate.yaml", "--output", "results/new.json")

    assert done.exit_code == 2
    assert Path("results/new.json").exists()


@pytest.mark.usefixtures("home")
def test_a_failed_evaluation_keeps_its_exit_code_and_is_not_judged() -> None:
    done = run("--gate", "gate.yaml", "--allow-path", ".", right=0, wrong=0)

    assert (done.exit_code, done.stdout) == (1, "")
    assert "The evaluation failed: " in done.stderr


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gate", "absent.yaml"], "absent.yaml: No such file or directory\n"),
        (["--gate", "config.yaml"], "config.yaml: expected a gate with criteria, a NemoEvalJob, or a policy"),
        (["--gate", "gate.yaml", "--baseline", "absent.json"], "absent.json: No such file or directory\n"),
        (["--gate", "gate.yaml", "--baseline", "gate.yaml"], "gate.yaml: not a JSON object"),
        (["--gate=--help"], "--help: No such file or directory\n"),
    ],
)
def test_an_unreadable_gate_ends_with_3_before_the_evaluation(arguments: list[str], message: str) -> None:
    done = run(*arguments)

    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith(message)
    assert "Evaluating" not in done.stderr


@pytest.mark.usefixtures("home")
def test_a_missing_program_is_reported_before_the_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    done = run("--gate", "gate.yaml")

    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == (
        "--gate needs the program nemo-eval-operator, which is not installed: run `pip install .` in the "
        "checkout of its repository\n"
    )


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo broken >&2; exit 1", "broken\n"),
        ("kill -9 $$", "nemo-eval-operator gate ended with exit code -9\n"),
        ("echo Passed; exit 4", "nemo-eval-operator gate ended with exit code 4\n"),
    ],
)
def test_a_program_that_crashes_has_judged_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    program = home / "nemo-eval-operator"
    program.write_text(f'#!/bin/sh\ncase "$*" in *--check*) exit 0;; esac\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(home))
    done = run("--gate", "gate.yaml")

    assert done.exit_code == 3
    assert done.stderr.endswith(message)


@pytest.mark.usefixtures("home")
def test_a_baseline_without_a_gate_is_refused() -> None:
    done = run("--baseline", "earlier.json")

    assert done.exit_code == 2
    assert "--baseline: has no effect without --gate" in done.stderr


@pytest.mark.usefixtures("home")
def test_a_dry_run_is_not_judged() -> None:
    spec = {"benchmarkRef": {"name": "b"}, "target": rows_target(RIGHT), "dryRun": True}
    job = {"kind": "NemoEvalJob", "metadata": {"name": "j"}, "spec": {**spec, "gate": GATE}}
    Path("job.yaml").write_text(yaml.safe_dump(job))
    arguments = ["run", "config.yaml", "--target", "job.yaml"]
    done = CliRunner().invoke(app, [*arguments, "--gate", "job.yaml"])

    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert done.exit_code == 2
    assert "is a dry run, which no gate judges: remove spec.dryRun or --gate" in " ".join(done.stderr.split())
