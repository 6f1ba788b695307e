"""`nemo-eval-operator gate`: exit codes, formats and inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from nemo_eval_operator.cli import app
from tests.unit.gates.documents import NAME, document, results, stats

GATE = {"criteria": [{"score": NAME, "minimum": 0.5, "maxDrop": 0.02}]}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    equal, worse = [1.0] * 1500 + [0.0] * 500, [1.0] * 1200 + [0.0] * 800
    for name, scores in {"equal": equal, "worse": worse}.items():
        Path(f"{name}.json").write_text(json.dumps(results(scores)))
    few = results([1.0, 0.0] * 20)
    Path("few.json").write_text(json.dumps(few))
    Path("gate.yaml").write_text(yaml.safe_dump(GATE))
    return tmp_path


def gate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["gate", "--policy", "gate.yaml", *arguments])


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("candidate", "baseline", "code", "headline"),
    [("equal", "equal", 0, "Passed"), ("worse", "equal", 1, "Failed"), ("few", "few", 2, "Inconclusive")],
)
def test_the_exit_code_is_the_verdict(candidate: str, baseline: str, code: int, headline: str) -> None:
    done = gate("--candidate", f"{candidate}.json", "--baseline", f"{baseline}.json")

    assert done.exit_code == code
    assert done.stdout.splitlines()[0] == headline


@pytest.mark.usefixtures("home")
def test_the_text_names_the_numbers() -> None:
    done = gate("--candidate", "worse.json", "--baseline", "equal.json")

    assert done.stdout.splitlines()[1] == (
        "  qa/answered/string-check: Failed (Critical). 0.6 against 0.75, 95% interval of the change "
        "-0.1663 to -0.1350, allowed drop 0.02"
    )


def test_help_is_no_error() -> None:
    assert gate("--help").exit_code == 0


@pytest.mark.usefixtures("home")
def test_json_has_all_numbers_and_no_infinity() -> None:
    Path("one.json").write_text(json.dumps(results([0.7])))

    found = json.loads(gate("--candidate", "worse.json", "--baseline", "equal.json", "-o", "json").stdout)
    of_one = json.loads(gate("--candidate", "one.json", "--baseline", "one.json", "-o", "json").stdout)

    (criterion,) = found["criteria"]
    assert (found["verdict"], found["passed"]) == ("Failed", False)
    assert (criterion["value"], criterion["baseline"], criterion["items"]) == (0.6, 0.75, 2000)
    assert criterion["deltaHigh"] == pytest.approx(-0.135, abs=0.001)
    assert "deltaLow" not in of_one["criteria"][0]


@pytest.mark.usefixtures("home")
def test_names_of_an_evaluator_are_text_in_markdown() -> None:
    name = "<script>alert(1)</script> | [x](javascript:1)"
    metrics = {"answered": {"scores": {name: {"value": 0.5}}}}
    Path("odd.json").write_text(json.dumps({"tasks": {"qa": {"metrics": metrics}}}))
    Path("gate.yaml").write_text(yaml.safe_dump({"criteria": [{"score": "answered", "minimum": 0.6}]}))

    printed = gate("--candidate", "odd.json", "-o", "markdown").stdout

    assert printed.startswith("**Failed**")
    assert "<script>" not in printed
    assert "](" not in printed


@pytest.mark.usefixtures("home")
def test_a_config_map_is_read_as_kubectl_prints_it() -> None:
    inner = json.dumps(results([1.0] * 50))
    Path("map.json").write_text(json.dumps({"kind": "ConfigMap", "data": {"results.json": inner}}))
    Path("gate.yaml").write_text(yaml.safe_dump({"criteria": [{"score": NAME, "minimum": 0.5}]}))

    assert gate("--candidate", "map.json").exit_code == 0


@pytest.mark.usefixtures("home")
def test_several_files_are_one_run_and_a_score_in_two_of_them_is_ambiguous() -> None:
    other = {"tasks": {"more": document(stats([1.0]))["tasks"]["qa"]}}  # type: ignore[index, call-overload]
    Path("more.json").write_text(json.dumps(other))
    Path("gate.yaml").write_text(
        yaml.safe_dump({"criteria": [{"score": name, "minimum": 0.5} for name in (NAME, "more")]})
    )

    assert gate("--candidate", "equal.json", "--candidate", "more.json").exit_code == 0
    assert gate("--candidate", "equal.json", "--candidate", "equal.json").exit_code == 2


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--candidate", "absent.json"], "absent.json: No such file or directory"),
        (["--candidate", "gate.yaml"], "gate.yaml: not a JSON object"),
        (["--candidate", "empty.json"], "empty.json: not a results document"),
        (["--candidate", "map.json"], "map.json: the ConfigMap has no results.json"),
        (["--candidate", "dry.json"], "dry.json: these are the results of a dry run"),
        (["--candidate", "equal.json", "-o", "html"], "--output: 'html' is not one of text, json, markdown"),
        (["--candidate", "equal.json", "--baselines", "x"], "No such option"),
        ([], "Missing option"),
    ],
)
def test_what_cannot_be_read_ends_with_3(arguments: list[str], message: str) -> None:
    Path("empty.json").write_text("{}")
    Path("map.json").write_text('{"kind": "ConfigMap", "data": {}}')
    labels = {"evaluator.nemo.dev/dry-run": "true"}
    data = {"results.json": Path("equal.json").read_text()}
    Path("dry.json").write_text(
        json.dumps({"kind": "ConfigMap", "metadata": {"labels": labels}, "data": data})
    )

    done = gate(*arguments)

    assert done.exit_code == 3
    assert message in done.stderr


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("criteria: [", "gate.yaml: not YAML"),
        ("criteria: [{score: a}]", "gate.yaml: criteria[0]: needs a rule"),
        ("!!python/object:os.system {}", "gate.yaml: not YAML"),
        ("2020-01-01: 1", "gate.yaml: "),
    ],
)
def test_a_policy_that_cannot_be_read_ends_with_3(policy: str, message: str) -> None:
    Path("gate.yaml").write_text(policy)

    done = gate("--candidate", "equal.json")

    assert done.exit_code == 3
    assert message in done.stderr


MANIFESTS = """\
kind: NemoBenchmark
---
kind: NemoEvalJob
spec: {gate: {criteria: [{score: qa/answered, minimum: 0.5}]}}
"""


@pytest.mark.usefixtures("home")
def test_a_gate_is_found_in_the_one_job_of_a_file_with_other_manifests() -> None:
    Path("gate.yaml").write_text(MANIFESTS)
    assert gate("--candidate", "equal.json").exit_code == 0

    Path("gate.yaml").write_text(MANIFESTS + "---\nkind: NemoEvalJob\n")
    done = gate("--candidate", "equal.json")
    assert done.exit_code == 3
    assert "it has 3 documents, of which 2 are NemoEvalJobs" in done.stderr


@pytest.mark.usefixtures("home")
def test_a_policy_is_checked_without_a_candidate() -> None:
    done = gate("--check", "--baseline", "few.json")

    assert (done.exit_code, done.stdout) == (0, "gate.yaml is valid: 1 criterion\n")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("option", ["--baseline", "--candidate"])
def test_a_check_reads_the_results_too(option: str) -> None:
    done = gate("--check", option, "gate.yaml")

    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith("gate.yaml: not a JSON object")
