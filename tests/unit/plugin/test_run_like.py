"""`kubectl nemoeval run --like`: another run as an earlier one was, and gates that could not compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.lifecycle.objects import benchmark, evaljob, finished
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"
SAMPLING = {"temperature": 0.0, "max_tokens": 32}
COMPARED = {"criteria": [{"score": "answered", "maxDrop": 0.02}]}


@pytest.fixture(autouse=True)
def earlier(api: ClusterApi) -> dict[str, Any]:
    """Return what a run that is like this finished one has in its spec."""
    api.put("nemobenchmarks", benchmark())
    job = evaljob(
        meta={"name": "earlier"},
        status=finished(),
        samplingParams=SAMPLING,
        limitSamples=50,
        priority=7,
        suspend=True,
    )
    api.put(JOBS, job)
    (document,) = [one for key, one in api.objects.items() if key[0] == JOBS]
    return {name: value for name, value in document["spec"].items() if name not in {"cancel", "suspend"}}


def created(api: ClusterApi) -> list[dict[str, Any]]:
    jobs = [one for key, one in api.objects.items() if key[0] == JOBS]
    return [job for job in jobs if job["metadata"]["name"] != "earlier"]


def gate_file(directory: Path, gate: dict[str, Any]) -> str:
    path = directory / "gate.yaml"
    path.write_text(yaml.safe_dump(gate))
    return str(path)


def test_a_run_is_like_an_earlier_one_except_for_what_is_given(
    api: ClusterApi, run: Run, earlier: dict[str, Any]
) -> None:
    code, _, err = run("run", "--like", "earlier", "-m", "other")

    assert code == 0, err
    (job,) = created(api)
    assert job["spec"] == earlier | {"model": "other"}
    assert job["metadata"]["generateName"] == "qa-"


def test_without_other_options_it_is_the_same_evaluation(
    api: ClusterApi, run: Run, earlier: dict[str, Any]
) -> None:
    assert run("run", "--like", "earlier")[0] == 0

    assert created(api)[0]["spec"] == earlier


def test_a_run_that_its_gate_could_not_compare_is_not_started(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    gate = gate_file(tmp_path, COMPARED)

    code, out, err = run("run", "-b", "qa", "-m", "other", "--gate", gate, "--baseline", "earlier")

    assert (code, out) == (64, "")
    assert "spec.samplingParams.max_tokens is 32 there and not set here" in err
    assert "spec.samplingParams.temperature is 0.0 there and not set here" in err
    assert "spec.limitSamples is 50 there and not set here" in err
    assert err.endswith("To evaluate as that run did, add --like earlier\n")
    assert created(api) == []


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("--like", "earlier", "--limit", "3"), "remove --limit"),
        (("--like", "earlier", "--all-samples"), "remove --all-samples"),
        (("--like", "twin", "--limit", "3"), "remove --limit"),
        (
            ("--like", "earlier", "--sampling-params", "top_p=1", "--sampling-params", "temperature=0"),
            "remove --sampling-params top_p=1",
        ),
        (
            ("--like", "earlier", "--limit", "3", "--sampling-params", "max_tokens=null"),
            "remove --limit and --sampling-params max_tokens=null",
        ),
        (("--like", "smaller", "-b", "qa"), "use --like earlier instead of --like smaller"),
        (
            ("--like", "smaller", "-b", "another"),
            "use --like earlier instead of --like smaller and remove --benchmark another",
        ),
        (("-b", "qa", "-m", "other", "--limit", "50"), "add --like earlier"),
        (("-b", "qa", "-m", "other", "--limit", "3"), "add --like earlier and remove --limit"),
    ],
)
def test_what_the_command_has_to_change_is_named(
    api: ClusterApi, run: Run, tmp_path: Path, earlier: dict[str, Any], words: tuple[str, ...], advice: str
) -> None:
    api.put("nemobenchmarks", benchmark(meta={"name": "another"}))
    for name, limit in (("twin", 50), ("smaller", 2)):
        manifest = evaljob(meta={"name": name}, status=finished()).to_manifest()
        api.put(JOBS, manifest | {"spec": earlier | {"limitSamples": limit}})

    code, out, err = run("run", *words, "--gate", gate_file(tmp_path, COMPARED), "--baseline", "earlier")

    assert (code, out) == (64, "")
    assert err.endswith(f". To evaluate as that run did, {advice}\n")


def test_sampling_parameters_that_are_empty_are_as_none(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    manifest = evaljob(meta={"name": "plain"}, status=finished()).to_manifest()
    api.put(JOBS, manifest | {"spec": {"benchmarkRef": {"name": "qa"}, "model": "m", "samplingParams": {}}})

    gate = gate_file(tmp_path, COMPARED)
    code, _, err = run("run", "-b", "qa", "-m", "m", "--gate", gate, "--baseline", "plain")

    assert code == 0, err


def test_like_the_baseline_the_gate_can_compare(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    gate = gate_file(tmp_path, COMPARED)

    words = ("--like", "earlier", "-m", "other", "--gate", gate, "--baseline", "earlier")
    assert run("run", *words)[0] == 0

    spec = created(api)[0]["spec"]
    assert spec["gate"]["baseline"] == {"jobRef": {"name": "earlier"}}
    assert spec["samplingParams"] == SAMPLING


def test_the_gate_of_the_earlier_run_takes_another_baseline(api: ClusterApi, run: Run) -> None:
    api.put(JOBS, evaljob(meta={"name": "gated"}, gate=COMPARED | {"baseline": {"jobRef": {"name": "old"}}}))
    api.put(JOBS, evaljob(meta={"name": "new"}))

    assert run("run", "--like", "gated", "--baseline", "new")[0] == 0

    (job,) = [one for one in created(api) if one["metadata"]["name"].startswith("qa-")]
    assert job["spec"]["gate"]["baseline"] == {"jobRef": {"name": "new"}}


def test_another_model_needs_no_secrets_of_the_earlier_target(api: ClusterApi, run: Run) -> None:
    ref = {"name": "keys", "key": "k"}
    paths = ("target.model.api_endpoint.api_key", "config.params.extra.hf_token")
    values = [{"secretKeyRef": ref, "targetPath": path} for path in paths]
    target = {"type": "model", "model": {"api_endpoint": {"url": "http://nim.test/v1", "model_id": "m"}}}
    config = {"type": "gsm8k"}
    for name, kept in (("both", values), ("only", values[:1])):
        api.put(JOBS, evaljob(meta={"name": name}, config=config, target=target, valuesFrom=kept))

    assert run("run", "--like", "both", "-m", "other", "--name", "first")[0] == 0
    assert run("run", "--like", "only", "-m", "other", "--name", "second")[0] == 0
    assert run("run", "--like", "both", "--name", "third")[0] == 0

    found = {
        job["metadata"]["name"]: [one["targetPath"] for one in job["spec"]["valuesFrom"]]
        for job in created(api)
    }
    assert (found["first"], found["second"], found["third"]) == ([paths[1]], [], [*paths])


def test_a_gate_for_a_run_like_a_dry_run_needs_all_samples(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    api.put(JOBS, evaljob(meta={"name": "trial"}, dryRun=True))
    gate = gate_file(tmp_path, {"criteria": [{"score": "answered", "minimum": 0.5}]})

    code, _, err = run("run", "--like", "trial", "--gate", gate)
    assert code == 64
    assert "trial is a dry run, whose one sample decides nothing: add --all-samples" in err

    assert run("run", "--like", "trial", "--gate", gate, "--all-samples")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("-m", "other"), 64, "set --benchmark, or --like with an earlier run"),
        (("--like", "missing"), 4, "missing"),
        (("--like", "earlier", "--baseline", "earlier"), 64, "--baseline needs --gate"),
    ],
)
def test_what_cannot_be_run_is_refused(
    words: tuple[str, ...], code: int, message: str, api: ClusterApi, run: Run
) -> None:
    found, _, err = run("run", *words)

    assert found == code
    assert message in err
    assert created(api) == []
