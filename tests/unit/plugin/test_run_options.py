"""Options of `kubectl nemoeval run` for what is measured and how the run is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from nemo_eval_operator.plugin import creating
from tests.unit.lifecycle.objects import benchmark, evaljob, finished
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run

JOBS = "nemoevaljobs"
POST = f"POST /apis/evaluator.nemo.dev/v1alpha1/namespaces/team-a/{JOBS}"
NEW = ("-b", "qa", "-m", "m")
LIKE = ("--like", "earlier")
SPEC = {"benchmarkRef": {"name": "qa"}, "model": "m"}
THEIRS = {
    **SPEC,
    "samplingParams": {"temperature": 0.5, "max_tokens": 32},
    "limitSamples": 50,
    "priority": 7,
}
GATE = {"criteria": [{"score": "answered", "minimum": 0.7}]}


@pytest.fixture(autouse=True)
def earlier(api: ClusterApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creating, "FIRST_PAUSE_SECONDS", 0.001)
    api.put("nemobenchmarks", benchmark())
    manifest = evaljob(meta={"name": "earlier"}, status=finished()).to_manifest()
    api.put(JOBS, manifest | {"spec": THEIRS})


def created(api: ClusterApi) -> list[dict[str, Any]]:
    jobs = [one for key, one in api.objects.items() if key[0] == JOBS]
    return [job for job in jobs if job["metadata"]["name"] != "earlier"]


def spec_of(api: ClusterApi) -> dict[str, Any]:
    (job,) = created(api)
    spec: dict[str, Any] = job["spec"]
    return spec


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (("--limit", "10"), {"limitSamples": 10}),
        (("--one-sample",), {"dryRun": True}),
        (("--all-samples",), {}),
        (("--priority", "-5"), {"priority": -5}),
        (("--sampling-params", "temperature=0"), {"samplingParams": {"temperature": 0}}),
        (("--sampling-params", "temperature=0.0"), {"samplingParams": {"temperature": 0}}),
        (("--sampling-params", 'stop=["a", "b"]'), {"samplingParams": {"stop": ["a", "b"]}}),
        (("--sampling-params", "stop=### end=1"), {"samplingParams": {"stop": "### end=1"}}),
        (("--sampling-params", "stop=NaN"), {"samplingParams": {"stop": "NaN"}}),
        (
            ("--sampling-params", "top_p=0.5", "--sampling-params", "max_tokens=8"),
            {"samplingParams": {"top_p": 0.5, "max_tokens": 8}},
        ),
        (("--sampling-params", "max_tokens=null"), {}),
    ],
)
def test_an_option_sets_its_field(
    api: ClusterApi, run: Run, words: tuple[str, ...], changes: dict[str, Any]
) -> None:
    code, _, err = run("run", *NEW, *words)

    assert code == 0, err
    assert spec_of(api) == SPEC | changes


@pytest.mark.parametrize(
    ("words", "changes", "removed"),
    [
        (("--limit", "10"), {"limitSamples": 10}, ()),
        (("--one-sample",), {"dryRun": True}, ("limitSamples",)),
        (("--all-samples",), {}, ("limitSamples",)),
        (("--priority", "0"), {"priority": 0}, ()),
        (
            ("--sampling-params", "temperature=0"),
            {"samplingParams": {"temperature": 0, "max_tokens": 32}},
            (),
        ),
        (
            ("--sampling-params", "max_tokens=null"),
            {"samplingParams": {"temperature": 0.5}},
            (),
        ),
        (
            ("--sampling-params", "max_tokens=null", "--sampling-params", "temperature=null"),
            {},
            ("samplingParams",),
        ),
    ],
)
def test_an_option_takes_precedence_over_the_run_that_the_new_one_is_like(
    api: ClusterApi, run: Run, words: tuple[str, ...], changes: dict[str, Any], removed: tuple[str, ...]
) -> None:
    code, _, err = run("run", *LIKE, *words)

    assert code == 0, err
    assert spec_of(api) == {name: one for name, one in (THEIRS | changes).items() if name not in removed}


def test_a_trial_of_a_run_with_a_gate_is_without_it_and_all_samples_are_evaluated_after_it(
    api: ClusterApi, run: Run
) -> None:
    api.objects[JOBS, "team-a", "earlier"]["spec"] = SPEC | {"gate": GATE}
    assert run("run", *LIKE, "--one-sample", "--name", "trial")[0] == 0
    assert spec_of(api) == SPEC | {"dryRun": True}

    assert run("run", "--like", "trial", "--all-samples", "--name", "whole")[0] == 0
    assert api.objects[JOBS, "team-a", "whole"]["spec"] == SPEC


@pytest.mark.parametrize("words", [NEW, LIKE])
def test_labels_are_those_of_the_options(api: ClusterApi, run: Run, words: tuple[str, ...]) -> None:
    labels = ("-l", "series=nightly,example.com/team=", "--labels", "sha=0a1b")

    assert run("run", *words, *labels)[0] == 0

    (job,) = created(api)
    assert job["metadata"]["labels"] == {"series": "nightly", "example.com/team": "", "sha": "0a1b"}


@pytest.mark.parametrize("words", [NEW, LIKE])
def test_a_run_has_the_name_that_is_given(api: ClusterApi, run: Run, words: tuple[str, ...]) -> None:
    assert run("run", *words, "--name", "qa.nightly-1")[:2] == (0, "qa.nightly-1\n")

    (job,) = created(api)
    assert job["metadata"]["name"] == "qa.nightly-1"
    assert "generateName" not in job["metadata"]


def test_a_name_that_exists_is_refused_and_left_as_it_is(api: ClusterApi, run: Run) -> None:
    code, out, err = run("run", *NEW, "--name", "earlier")

    assert (code, out) == (64, "")
    assert err.startswith("error: NemoEvalJob earlier exists already in namespace team-a: choose another")
    assert api.requests.count(POST) == 1
    assert api.objects[JOBS, "team-a", "earlier"]["spec"] == THEIRS


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_lost_answer_to_a_named_run_is_no_other_run_of_that_name(
    api: ClusterApi, run: Run, lost: int
) -> None:
    api.lost = ["POST"] * lost

    code, out, err = run("run", *NEW, "--name", "nightly")

    assert (code, out) == (0, "nightly\n"), err
    assert len(created(api)) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--limit", "0"), "--limit: must be at least 1"),
        (("--limit", "some"), "'--limit': must be a whole number"),
        (("--priority", "2000000"), "--priority: must be at most 1000000"),
        (("--limit", "1", "--one-sample"), "set one of --limit, --one-sample and --all-samples at most"),
        (("--limit", "1", "--all-samples"), "set one of --limit, --one-sample and --all-samples at most"),
        (("--one-sample", "--gate", "FILE"), "which decides nothing: remove --gate and --baseline"),
        (("--one-sample", "--baseline", "earlier"), "which decides nothing"),
        (("--sampling-params", "temperature"), "--sampling-params: 'temperature' has to be KEY=VALUE"),
        (
            ("--sampling-params", "temprature=0"),
            "--sampling-params temprature: unknown field; did you mean temperature?",
        ),
        (("--sampling-params", "temperature=hot"), "--sampling-params temperature: must be a number"),
        (("--sampling-params", "temperature=-1"), "--sampling-params temperature: must be at least 0"),
        (("--sampling-params", "temperature=Infinity"), "--sampling-params temperature: must be a number"),
        (("--sampling-params", "temperature=1e999"), "--sampling-params temperature: must be a number"),
        (("--sampling-params", 'temperature="1"'), "--sampling-params temperature: must be a number"),
        (("--sampling-params", "max_tokens=0"), "--sampling-params max_tokens: must be at least 1"),
        (("-l", "series"), "--labels: 'series' has to be KEY=VALUE"),
        (("-l", "-a=b"), "--labels: '-a' cannot be the key of a label"),
        (("-l", "A_B/a=b"), "--labels: 'A_B/a' cannot be the key of a label"),
        (("-l", "/a=b"), "--labels: '/a' cannot be the key of a label"),
        (("-l", "a=b c"), "--labels: 'b c' cannot be the value of a"),
        (("-l", f"a={'b' * 64}"), "cannot be the value of a"),
        (("--name", "No Name"), "--name: 'No Name' cannot be the name of an object"),
        (("--name", ""), "--name: '' cannot be the name of an object"),
        (("--name", "a" * 254), "cannot be the name of an object"),
    ],
)
@pytest.mark.parametrize("start", [NEW, LIKE])
def test_what_an_option_cannot_be_is_refused_before_anything_is_created(
    api: ClusterApi, run: Run, tmp_path: Path, start: tuple[str, ...], words: tuple[str, ...], message: str
) -> None:
    gate = tmp_path / "gate.yaml"
    gate.write_text(yaml.safe_dump(GATE))

    code, out, err = run("run", *start, *(str(gate) if word == "FILE" else word for word in words))

    assert (code, out) == (64, "")
    assert err.startswith("error: ")
    assert message in err
    assert POST not in api.requests
