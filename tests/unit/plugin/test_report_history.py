"""The history of a report: names and roles of its runs, and which of them a line connects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from nemo_eval_operator.plugin.report.labels import HEIGHT, Place, labels_of
from tests.unit.plugin.cluster_api import ClusterApi
from tests.unit.plugin.conftest import Run
from tests.unit.plugin.reported import CONFIG, answers, gate_status, put_run
from tests.unit.plugin.test_report import AFTER, BEFORE, GATE, Page, in_json, written
from tests.unit.plugin.test_report_differences import OTHER_CONFIG, targets


def points_of(run: Run, tmp_path: Path, *names: str) -> list[dict[str, Any]]:
    (history,) = in_json(run, tmp_path, *names)["histories"]
    found: list[dict[str, Any]] = history["points"]
    return found


def lines_in(page: str) -> int:
    return page.count('<line class="path ')


def test_the_baseline_and_the_candidates_are_marked_in_the_order_of_completion(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    old = put_run(api, "old", answers(BEFORE), day=2)
    put_run(api, "new", answers(AFTER), day=1, status=gate_status("old", old), gate=GATE)
    put_run(api, "other", answers(AFTER), day=3)
    for names, roles in (
        (["new"], [("new", "candidate"), ("old", "baseline"), ("other", None)]),
        (["old", "new"], [("new", "candidate"), ("old", "baseline"), ("other", None)]),
        (["other", "old"], [("new", None), ("old", "candidate"), ("other", "baseline")]),
        (["old"], [("new", None), ("old", None), ("other", None)]),
    ):
        points = points_of(run, tmp_path, *names)
        assert [(point["run"], point["role"]) for point in points] == roles


def test_a_baseline_that_was_evaluated_again_is_not_marked(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    old = put_run(api, "old", answers(BEFORE), day=1)
    put_run(api, "new", answers(AFTER), day=2, status=gate_status("old", old), gate=GATE)
    api.objects["nemoevaljobs", "team-a", "old"]["status"]["attempt"] = 2
    roles = [(point["run"], point["role"]) for point in points_of(run, tmp_path, "new")]
    assert roles == [("old", None), ("new", "candidate")]


def test_each_point_has_the_name_of_its_run(api: ClusterApi, run: Run, tmp_path: Path) -> None:
    old = put_run(api, "old", answers(BEFORE), day=1)
    put_run(api, "other", answers(BEFORE), day=2)
    put_run(api, "new", answers(AFTER), day=3, status=gate_status("old", old), gate=GATE)
    page = written(run, tmp_path / "report.html", "new").partition("<h2>History</h2>")[2]
    assert re.findall('<text class="name".*>(.*)</text>', page) == ["baseline old", "other", "candidate new"]
    assert re.findall(r"<title>(.*): 0\.", page) == ["baseline old", "other", "candidate new"]
    text = Page(page).text
    assert text.index("baseline: old") < text.index("candidate: new")


def test_lines_connect_only_runs_of_the_same_config_and_target(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    for day, name in enumerate(("first", "stop", "second", "config", "unknown", "third"), 1):
        put_run(api, name, answers(BEFORE), day=day, config=OTHER_CONFIG if name == "config" else CONFIG)
        # The credentials differ in all of them.
        targets(api, name, **({"prompt": {"inference_params": {"stop": [" "]}}} if name == "stop" else {}))
    del api.objects["nemoevaljobs", "team-a", "unknown"]["status"]["benchmark"]
    series = [point["series"] for point in points_of(run, tmp_path, "third")]
    assert series == [0, 1, 0, 2, 3, 0]
    assert lines_in(written(run, tmp_path / "report.html", "third")) == 2


def test_the_baseline_is_in_a_history_that_leaves_out_older_runs(
    api: ClusterApi, run: Run, tmp_path: Path
) -> None:
    old = put_run(api, "old", answers(BEFORE))
    for number in range(52):
        minute = f"2026-03-02T12:{number:02}:00Z"
        put_run(api, f"run-{number}", answers(BEFORE), status={"completionTime": minute})
    put_run(api, "new", answers(AFTER), day=3, status=gate_status("old", old), gate=GATE)
    points = points_of(run, tmp_path, "new")
    assert [point["run"] for point in points] == ["old", *(f"run-{number}" for number in range(3, 52)), "new"]


def test_names_that_would_cover_each_other_are_left_out_the_important_ones_last() -> None:
    crowd = [Place(12 + number, 50.0, f"run-{number}", is_important=number == 40) for number in range(80)]
    labels = labels_of(crowd, left=12)
    shown = [number for number, label in enumerate(labels) if label]
    assert 40 in shown
    assert 2 < len(shown) < 40


def test_baseline_and_candidate_next_to_each_other_both_have_their_long_names() -> None:
    name = "candidate-with-a-very-long-name"
    heights = [26.08, 22.4] * 4
    places = [Place(12 + 12 * n, height, name, is_important=n < 2) for n, height in enumerate(heights)]
    first, second, *_ = labels_of(places, left=12)
    assert first is not None
    assert second is not None
    assert {first.dy < 0, second.dy < 0} == {True, False}


@pytest.mark.parametrize(
    ("x", "y", "anchor", "above"),
    [(50, 50, "middle", True), (50, 4, "middle", False), (12, 96, "start", True), (96, 4, "end", False)],
)
def test_a_name_stays_within_its_chart(x: float, y: float, anchor: str, above: bool) -> None:
    (label,) = labels_of([Place(x, y, "n" * 40, is_important=True)], left=12)
    assert label is not None
    assert (label.anchor, label.dy < 0) == (anchor, above)
    assert 0 < y * HEIGHT / 100 + label.dy < HEIGHT
    assert len(label.text) < 40
