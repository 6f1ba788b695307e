"""What `kubectl nemoeval run` refuses, or warns of, before hours of an evaluation that would show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.lifecycle.objects import ago, benchmark, evaljob, finished, stamp
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"
POST = f"POST /apis/evaluator.nemo.dev/v1alpha1/namespaces/team-a/{JOBS}"
NEW = ("-b", "qa", "-m", "m")
SCORES = ["qa/answered/string-check", "qa/bleu/sentence", "qa/bleu/corpus"]
CUSTOM = {
    "type": "custom",
    "tasks": {
        "qa": {
            "type": "chat-completion",
            "dataset": {"files_url": "hf://datasets/team/qa"},
            "metrics": {"answered": {"type": "string-check"}, "bleu": {"type": "bleu"}},
        }
    },
}
RECORDED = {
    "type": "custom",
    "tasks": {"answers": {"type": "data", "metrics": {"bleu": {"type": "bleu"}}}},
}
DATASET = {"type": "dataset", "dataset": {"files_url": "hf://datasets/team/answers"}}


def scores(names: list[str]) -> list[dict[str, Any]]:
    parts = [name.split("/") for name in names]
    return [{"task": task, "metric": metric, "score": score, "value": 0.5} for task, metric, score in parts]


def put_run(
    api: ClusterApi, name: str, names: list[str], *, generation: int = 1, seconds: int = 0, **spec: Any
) -> None:
    """Store a finished run with these scores, which completed so many seconds ago."""
    status = finished(
        scores=scores(names),
        completionTime=stamp(ago(seconds)),
        benchmark={"name": "qa", "generation": generation, "hash": "sha256:0"},
    )
    api.put(JOBS, evaljob(meta={"name": name}, status=status, **spec))


def started(api: ClusterApi) -> bool:
    return POST in api.requests


@pytest.fixture
def gate(tmp_path: Path) -> Any:
    def file(*names: str, **rules: Any) -> str:
        path = tmp_path / "gate.yaml"
        criteria = [{"score": name, **(rules or {"minimum": 0.5})} for name in names]
        path.write_text(yaml.safe_dump({"criteria": criteria}))
        return str(path)

    return file


@pytest.mark.parametrize(
    "name", ["qa/answered", "answered", "qa/answered/string-check", "qa/string-check", "bleu/corpus"]
)
def test_a_gate_whose_scores_exist_starts_without_a_word(
    api: ClusterApi, run: Run, gate: Any, name: str
) -> None:
    api.put("nemobenchmarks", benchmark(config=CUSTOM))
    put_run(api, "old", SCORES)

    code, _, err = run("run", *NEW, "--gate", gate(name))

    assert code == 0
    assert "warning" not in err


@pytest.mark.parametrize("old", [{}, {"limitSamples": 3}, {"samplingParams": {"temperature": 1}}])
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("qa/answerd", "have no score qa/answerd; did you mean qa/answered?"),
        ("anwsered", "have no score anwsered; did you mean answered?"),
        (
            "qa/answered/strng-check",
            "have no score qa/answered/strng-check; did you mean qa/answered/string-check?",
        ),
        ("latency", f"have no score latency; they have {', '.join(SCORES)}"),
        ("qa/bleu", "qa/bleu may be qa/bleu/sentence, qa/bleu/corpus: name one of them"),
    ],
)
def test_a_score_that_the_same_benchmark_did_not_have_is_refused(
    api: ClusterApi, run: Run, gate: Any, name: str, problem: str, old: dict[str, Any]
) -> None:
    api.put("nemobenchmarks", benchmark(config=CUSTOM))
    put_run(api, "old", SCORES, **old)

    code, out, err = run("run", *NEW, "--gate", gate("qa/answered", name))

    assert (code, out, err.count("\n")) == (64, "", 1)
    assert err.startswith("error: gate criteria[1].score: ")
    assert problem in err
    assert not started(api)


@pytest.mark.parametrize(
    ("old", "config"),
    [
        ({"generation": 2}, CUSTOM),
        ({"names": SCORES[1:]}, CUSTOM),
        ({"names": [*SCORES, *(f"qa/bleu/{number}" for number in range(47))]}, CUSTOM),
        ({}, CUSTOM | {"groups": {"all": {"tasks": ["qa"]}}}),
        ({}, {"type": "gsm8k"}),
    ],
)
def test_a_score_that_may_be_new_is_a_warning(
    api: ClusterApi, run: Run, gate: Any, old: dict[str, Any], config: dict[str, Any]
) -> None:
    api.put("nemobenchmarks", benchmark(config=config))
    put_run(api, "old", **({"names": SCORES} | old))

    code, out, err = run("run", *NEW, "--gate", gate("qa/bleu/sentense"))

    assert code == 0
    assert out.startswith("qa-")
    assert err.splitlines()[0] == (
        "warning: gate criteria[0].score: earlier runs (old) have no score qa/bleu/sentense; "
        "did you mean qa/bleu/sentence?"
    )


def test_the_latest_runs_of_the_benchmark_are_looked_at(api: ClusterApi, run: Run, gate: Any) -> None:
    api.put("nemobenchmarks", benchmark(config=CUSTOM, meta={"generation": 9}))
    for number in range(7):
        put_run(api, f"run-{number}", ["qa/em/em"] if number == 3 else SCORES, seconds=number)
    put_run(api, "other", ["qa/f1/f1"], benchmarkRef={"name": "another"})

    assert "warning" not in run("run", *NEW, "--gate", gate("qa/em"))[2]
    err = run("run", *NEW, "--gate", gate("qa/f1"))[2]
    assert "earlier runs (run-0, run-1, run-2, run-3, run-4) have no score qa/f1" in err


def test_without_the_right_to_list_runs_nothing_is_checked(
    api: ClusterApi, run: Run, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.put("nemobenchmarks", benchmark(config=CUSTOM))
    put_run(api, "old", SCORES)
    answer = api._answer  # noqa: SLF001

    def without_lists(request: Any) -> Any:
        is_list = request.method == "GET" and request.url.path.endswith(f"/{JOBS}")
        api.forbidden = {JOBS} if is_list else set()
        return answer(request)

    monkeypatch.setattr(api, "_answer", without_lists)
    code, _, err = run("run", *NEW, "--gate", gate("qa/answerd"))
    assert code == 0
    assert "warning" not in err


def test_a_run_like_another_is_checked_with_the_gate_of_that_run(api: ClusterApi, run: Run) -> None:
    api.put("nemobenchmarks", benchmark(config=CUSTOM))
    put_run(api, "old", SCORES, gate={"criteria": [{"score": "qa/answerd", "minimum": 0.5}]})

    code, _, err = run("run", "--like", "old")

    assert code == 64
    assert "did you mean qa/answered?" in err
    assert not started(api)


def test_a_dry_run_is_no_baseline(api: ClusterApi, run: Run, gate: Any) -> None:
    api.put("nemobenchmarks", benchmark(config=CUSTOM))
    put_run(api, "trial", SCORES, dryRun=True)

    code, _, err = run("run", *NEW, "--gate", gate("qa/answered", maxDrop=0.1), "--baseline", "trial")

    assert code == 64
    assert "trial cannot be the baseline: it is a dry run" in err
    assert not started(api)


@pytest.mark.parametrize("target", [None, {"type": "model", "model": "m"}])
def test_recorded_answers_are_not_scored_with_a_model(
    api: ClusterApi, run: Run, tmp_path: Path, target: dict[str, Any] | None
) -> None:
    api.put("nemobenchmarks", benchmark(config=RECORDED))
    path = tmp_path / "target.yaml"
    path.write_text(yaml.safe_dump(target))

    words = ("-m", "m") if target is None else ("--target", str(path))
    code, _, err = run("run", "-b", "qa", *words)

    assert code == 64
    assert err == (
        "error: this benchmark scores recorded answers (task answers calls no model and has no dataset): "
        "give --target FILE with a target of type dataset or rows, instead of a model\n"
    )
    assert not started(api)


def test_recorded_answers_are_asked_for_where_no_target_is_given(api: ClusterApi, run: Run) -> None:
    api.put("nemobenchmarks", benchmark(config=RECORDED))

    code, _, err = run("run", "-b", "qa")

    assert code == 64
    assert err == (
        "error: this benchmark scores recorded answers (task answers calls no model and has no dataset): "
        "give --target FILE with a target of type dataset or rows\n"
    )

    api.put("nemobenchmarks", benchmark(config=CUSTOM))
    assert run("run", "-b", "qa")[::2] == (64, "error: set exactly one of --model and --target\n")


@pytest.mark.parametrize(
    ("kind", "subject", "types"),
    [
        ("agentic", "recorded conversations of agents", "cached_outputs or dataset"),
        ("retriever", "what a retriever finds", "retriever"),
        ("rag", "what a RAG pipeline retrieves and answers", "rag or dataset"),
    ],
)
def test_config_types_that_evaluate_no_model_are_run_with_their_own_target(
    api: ClusterApi, run: Run, tmp_path: Path, kind: str, subject: str, types: str
) -> None:
    config = {"type": kind, "tasks": {"t": {"type": "beir", "dataset": {"files_url": "file://fiqa/"}}}}
    api.put("nemobenchmarks", benchmark(config=config))
    api.put(JOBS, evaljob(meta={"name": "old"}, config=config, target=DATASET))

    needed = f"give --target FILE with a target of type {types}"
    problem = f"error: this benchmark scores {subject} (config type {kind}): {needed}"
    assert run("run", "-b", "qa") == (64, "", f"{problem}\n")
    for words in (("-b", "qa"), ("--like", "old")):
        assert run("run", *words, "-m", "m") == (64, "", f"{problem}, instead of a model\n")
    assert not started(api)

    path = tmp_path / "target.yaml"
    path.write_text(yaml.safe_dump(DATASET))
    assert run("run", "-b", "qa", "--target", str(path))[0] == 0


@pytest.mark.parametrize("target", [DATASET, {"type": "model", "model": "m"}])
def test_similarity_takes_a_model_and_recorded_answers(
    api: ClusterApi, run: Run, tmp_path: Path, target: dict[str, Any]
) -> None:
    tasks = {"t": {"type": "default", "metrics": {"em": {"type": "em"}}}}
    api.put("nemobenchmarks", benchmark(config={"type": "similarity_metrics", "tasks": tasks}))
    path = tmp_path / "target.yaml"
    path.write_text(yaml.safe_dump(target))
    assert run("run", "-b", "qa", "--target", str(path))[0] == 0


@pytest.mark.parametrize(
    ("known", "advice"),
    [
        (["q", "qa-large"], "did you mean qa-large?"),
        (["other"], "list those that exist with `kubectl get nemobenchmarks -n team-a`"),
        ([], "list those that exist with `kubectl get nemobenchmarks -n team-a`"),
    ],
)
def test_a_benchmark_that_does_not_exist_comes_with_one_of_a_similar_name(
    api: ClusterApi, run: Run, known: list[str], advice: str
) -> None:
    for name in known:
        api.put("nemobenchmarks", benchmark(meta={"name": name}))

    code, _, err = run("run", "-b", "qa-larg", "-m", "m")

    assert code == 4
    assert err == f"error: NemoBenchmark qa-larg was not found in namespace team-a; {advice}\n"


def test_a_run_of_recorded_answers_is_not_like_one_with_a_model(api: ClusterApi, run: Run) -> None:
    api.put(JOBS, evaljob(meta={"name": "old"}, config=RECORDED, target=DATASET))

    code, _, err = run("run", "--like", "old", "-m", "m")
    assert code == 64
    assert "give --target FILE" in err

    assert run("run", "--like", "old")[0] == 0


def with_task(**fields: Any) -> dict[str, Any]:
    return {"type": "custom", "tasks": {"answers": {**RECORDED["tasks"]["answers"], **fields}}}  # type: ignore[index]


VALUES = [{"secretKeyRef": {"name": "a", "key": "b"}, "targetPath": "tasks.answers.dataset.files_url"}]


@pytest.mark.parametrize(
    "spec",
    [
        {"config": with_task(dataset={"files_url": "hf://datasets/team/answers"})},
        {"config": with_task(type="chat-completion")},
        {"config": RECORDED | {"type": "similarity_metrics"}},
        {"config": RECORDED, "valuesFrom": VALUES},
    ],
)
def test_a_benchmark_that_may_take_a_model_is_run(api: ClusterApi, run: Run, spec: dict[str, Any]) -> None:
    api.put("nemobenchmarks", benchmark(**spec))

    assert run("run", *NEW)[0] == 0
