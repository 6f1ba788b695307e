"""`kubectl nemoeval report`: what the files hold, and what never gets into them."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from tests.unit.gates.documents import NAME, document, stats
from tests.unit.lifecycle.objects import evaljob, followed
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run
from tests.unit.plugin.reported import answers, gate_status, put_run

BEFORE = [1.0] * 40 + [0.0] * 10
AFTER = [0.0] * 5 + [1.0] * 38 + [0.0] * 7
GATE = {"criteria": [{"score": "answered", "minimum": 0.7}], "baseline": {"jobRef": {"name": "old"}}}
HOSTILE = "<script>alert(1)</script> ]]> --> \x1b[31m \u202e @everyone | ` </pre><img src=x onerror=alert(1)>"


@pytest.fixture
def gated(api: ClusterApi) -> ClusterApi:
    old = put_run(api, "old", answers(BEFORE), day=1)
    put_run(api, "other", answers(BEFORE), day=2, model="nvidia/other")
    put_run(api, "new", answers(AFTER), day=3, status=gate_status("old", old), gate=GATE)
    return api


def written(run: Run, path: Path, *names: str) -> str:
    code, out, err = run("report", *names, "-o", str(path))
    assert (code, out, err) == (0, "", f"wrote {path}\n")
    return path.read_text()


def in_json(run: Run, tmp_path: Path, *names: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written(run, tmp_path / "report.json", *names))
    return found


@pytest.mark.usefixtures("gated")
def test_a_run_is_compared_with_the_baseline_of_its_gate(run: Run, tmp_path: Path) -> None:
    report = in_json(run, tmp_path, "new")

    (found,) = report["runs"]
    assert (found["outcome"], found["passed"], found["verdict"]) == ("gate failed", False, "Failed")
    assert found["criteria"][0]["message"] == "0.6 is below the minimum 0.7"
    (score,) = found["scores"]
    assert (score["name"], score["value"], score["items"]) == (NAME, 0.76, 50)
    assert (round(score["low"], 4), round(score["high"], 4)) == (0.6259, 0.857)  # Wilson
    assert score["distribution"] == {"low": 0.0, "high": 1.0, "counts": [12, 38]}

    (compared,) = report["comparisons"]
    (change,) = compared["changes"]
    assert (compared["baseline"], compared["candidate"]) == ("old", "new")
    assert (change["better"], change["worse"], change["equal"]) == (3, 5, 42)
    assert change["low"] < change["delta"] < change["high"]
    for direction, count, answers_of in (("worse", 5, ("right", "wrong")), ("better", 3, ("wrong", "right"))):
        items = compared[f"became{direction.capitalize()}"]
        flip = items["flips"][0]
        assert (len(items["flips"]), items["leftOut"]) == (count, 0)
        number = flip["input"].removeprefix("question ")
        found_answers = (flip["baselineOutput"], flip["candidateOutput"])
        assert found_answers == tuple(f"{answer} {number}" for answer in answers_of)


@pytest.mark.usefixtures("gated")
@pytest.mark.parametrize("ending", ["html", "md"])
def test_items_that_became_worse_precede_those_that_became_better(
    run: Run, tmp_path: Path, ending: str
) -> None:
    _, worse, rest = written(run, tmp_path / f"report.{ending}", "new").partition("Items that became worse")
    became_worse, better, became_better = rest.partition("Items that became better")
    assert worse
    assert better
    question = re.compile(r"question \d+").findall
    number = question(became_worse)[0].removeprefix("question ")
    assert f"right {number}" in became_worse
    assert f"wrong {number}" in became_worse
    assert question(became_better)


def test_evidence_that_was_replaced_is_not_compared(gated: ClusterApi, run: Run, tmp_path: Path) -> None:
    gated.config_maps["team-a", "old-evidence"] = gated.config_maps["team-a", "new-evidence"]
    (compared,) = in_json(run, tmp_path, "new")["comparisons"]
    assert compared["changes"] == []
    assert "ConfigMap old-evidence: it has the digest" in compared["note"]


@pytest.mark.usefixtures("gated")
def test_the_history_has_all_runs_of_the_benchmark(run: Run, tmp_path: Path) -> None:
    (history,) = in_json(run, tmp_path, "new")["histories"]
    points = [(point["run"], point["value"], point["reported"]) for point in history["points"]]
    assert points == [("old", 0.8, False), ("other", 0.8, False), ("new", 0.76, True)]


@pytest.mark.usefixtures("gated")
def test_of_several_runs_the_first_is_the_reference(run: Run, tmp_path: Path) -> None:
    report = in_json(run, tmp_path, "other", "new", "old")
    assert [(one["baseline"], one["candidate"]) for one in report["comparisons"]] == [
        ("other", "new"),
        ("other", "old"),
    ]


def test_runs_of_different_configs_are_not_compared(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    put_run(api, "old", answers(BEFORE))
    put_run(api, "new", answers(AFTER))
    api.objects["nemoevaljobs", "team-a", "new"]["status"]["benchmark"]["hash"] = "sha256:other"
    (compared,) = in_json(run, tmp_path, "old", "new")["comparisons"]
    assert compared["changes"] == []
    assert "measured different configs" in compared["note"]


def test_where_lower_is_better_the_worst_items_have_the_highest_scores(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    gate = {"criteria": [{"score": "answered", "direction": "LowerIsBetter", "maximum": 0.5}]}
    put_run(api, "old", answers(BEFORE))
    put_run(api, "new", answers(AFTER), gate=gate)
    report = in_json(run, tmp_path, "old", "new")
    assert {item["score"] for item in report["runs"][1]["worst"]} == {1.0}
    (change,) = report["comparisons"][0]["changes"]
    assert (change["better"], change["worse"]) == (5, 3)


class Page(HTMLParser):
    """Tags, attributes and texts of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(content)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.usefixtures("gated")
def test_the_page_is_complete_in_itself(run: Run, tmp_path: Path) -> None:
    page = Page(written(run, tmp_path / "report.html", "new", "other"))
    assert not {"script", "link", "img", "iframe", "object", "embed", "a"} & {*page.tags}
    assert not {name for name, _ in page.attributes if name.startswith("on") or name in {"src", "href"}}
    assert page.tags.count("svg") >= 5
    for heading in (
        "Summary",
        "Scores",
        "Comparison",
        "Distribution of item scores",
        "History",
        "Details of",
    ):
        assert heading in page.text
    for fact in ("uid-of-new", "eval-of-new", "2026-03-03T12:00:00Z", "sha256:", "http://evaluator.test"):
        assert fact in page.text


@pytest.mark.parametrize("ending", [".html", ".md", ".json"])
def test_texts_of_a_model_are_escaped_and_cut(api: ClusterApi, run: Run, tmp_path: Path, ending: str) -> None:
    long = HOSTILE + "x" * 1024 * 1024
    put_run(api, "old", answers(BEFORE, input=long, reference=long, output="fine"))
    put_run(api, "new", answers(AFTER, input=long, reference=long, output=long))
    api.objects["nemoevaljobs", "team-a", "new"]["status"]["message"] = HOSTILE
    text = written(run, tmp_path / f"report{ending}", "old", "new")
    assert len(text) < 150_000
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "alert(1)" in text
    if ending == ".html":
        page = Page(text)
        assert not {"script", "img"} & {*page.tags}
        assert "<script>alert(1)</script>" in page.text
        assert "more characters)" in page.text
    if ending == ".md":
        assert "<script" not in text
        assert "@everyone" not in re.sub("<code>.*?</code>", "", text)
        assert {line.count("|") for line in text.splitlines() if "alert" in line} <= {3, 4, 5, 6}


def test_a_name_of_a_score_is_no_markup(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    results: Any = document(stats(BEFORE))
    metrics = results["tasks"]["qa"]["metrics"]
    metrics[HOSTILE] = metrics.pop("answered")
    put_run(api, "new", results)
    page = Page(written(run, tmp_path / "report.html", "new"))
    assert not {"script", "img"} & {*page.tags}
    assert not [name for name, _ in page.attributes if name.startswith("on")]


@pytest.mark.parametrize("ending", [".html", ".md", ".json"])
def test_credentials_are_masked(api: ClusterApi, run: Run, tmp_path: Path, ending: str) -> None:
    endpoint = {"url": "http://user:hunter2@model.test/v1", "model_id": "m", "api_key": "key-in-plain-text"}
    target = {"type": "model", "model": {"api_endpoint": endpoint}}
    put_run(api, "new", answers(AFTER, input="Bearer abcdefghij", reference="a", output="nvapi-0123456789"))
    api.objects["nemoevaljobs", "team-a", "new"]["spec"] |= {"target": target, "model": None}
    results = api.config_maps["team-a", "new-results"]["data"]
    results["config.json"] = '{"params":{"extra":{"hf_token":"token-in-plain-text"}},"type":"custom"}'
    text = written(run, tmp_path / f"report{ending}", "new")
    for secret in ("hunter2", "key-in-plain-text", "abcdefghij", "0123456789", "token-in-plain-text"):
        assert secret not in text
    if ending != ".md":
        assert "******" in text


def test_a_run_that_goes_on_is_reported_as_far_as_it_got(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    api.put("nemoevaljobs", evaljob(status=followed(progress={"percent": 40})))
    page = Page(written(run, tmp_path / "report.html", "qa-llama"))
    assert "Running 40%" in page.text
    assert "There are no scores yet." in page.text
    assert in_json(run, tmp_path, "qa-llama")["runs"][0]["passed"] is None


@pytest.mark.usefixtures("gated")
def test_what_rbac_forbids_is_left_out_and_named(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    api.forbidden.add("configmaps")
    (found,) = in_json(run, tmp_path, "new")["runs"]
    assert "jane may not get configmaps in namespace team-a" in found["notes"][0]
    assert found["scores"][0]["value"] == 0.76


def test_missing_runs_and_unknown_endings_are_refused(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    assert run("report", "missing", "-o", str(tmp_path / "report.md"))[0] == 4
    api.requests.clear()
    code, _, err = run("report", "missing", "-o", str(tmp_path / "report.pdf"))
    assert (code, api.requests) == (64, [])
    assert err.endswith("the ending chooses the format: use .html, .md or .json\n")
    put_run(api, "new", answers(AFTER))
    code, _, err = run("report", "new", "-o", str(tmp_path / "no" / "report.md"))
    assert code == 1
    assert "cannot be written: No such file or directory" in err


def test_without_the_extra_html_is_refused_with_what_to_install(
    api: ClusterApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    put_run(api, "new", answers(AFTER))
    code, _, err = run("report", "new", "-o", str(tmp_path / "report.html"))
    assert code == 1
    assert "uv tool install '.[plugin]'" in err
    written(run, tmp_path / "report.md", "new")


@pytest.mark.parametrize(
    "scores", [[0.5], [0.5, 0.5], [-3.0, 250.0], [1e-9, 2e-9], [1e90, -1e90], [0.0] * 40]
)
def test_scores_of_any_scale_are_drawn(
    api: ClusterApi, run: Run, tmp_path: Path, scores: list[float]
) -> None:
    put_run(api, "old", answers(scores))
    put_run(api, "new", answers(scores[::-1]), day=2)
    page = Page(written(run, tmp_path / "report.html", "old", "new"))
    places = {"x", "cx", "cy", "x1", "x2", "y1", "y2", "width", "height"}
    shares = [float(value[:-1]) for name, value in page.attributes if name in places and value.endswith("%")]
    assert shares
    assert all(0 <= share <= 100 for share in shares)
