"""Reports as people see them: in headless Chromium, on a phone, on a desktop, in the dark and on paper."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from nemo_eval_operator.plugin import access
from nemo_eval_operator.plugin.main import run_command_line
from testbed.browser import Chromium, chromium
from testbed.page import Page, open_browser
from testbed.processes import ProcessError
from tests.unit.plugin.cluster_api import ClusterApi, write_kubeconfig
from tests.unit.plugin.reported import answers, gate_status, put_run

BEFORE, AFTER = [1.0] * 40 + [0.0] * 10, [0.0] * 5 + [1.0] * 38 + [0.0] * 7
GATE = {"criteria": [{"score": "answered", "minimum": 0.7}], "baseline": {"jobRef": {"name": "old"}}}
LONG = "an_answer_without_any_blank_" * 100 + "<script>console.error('script')</script>"

CHARTS = """
[...document.querySelectorAll("svg[role=img]")].map(svg => {
  const drawn = [...svg.querySelectorAll("circle, rect, line")];
  const box = svg.getBoundingClientRect();
  return [box.width, box.height, drawn.length];
})
"""

TOO_WIDE = """
[document.documentElement, ...document.querySelectorAll("body *:not(title)")]
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1 || one.scrollWidth > one.clientWidth + 1
    && one.clientWidth > 0 && getComputedStyle(one).display !== "inline")
  .map(one => one.outerHTML.slice(0, 120))
"""

GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def browser() -> Chromium:
    try:
        return chromium()
    except ProcessError as error:
        pytest.skip(str(error))


@pytest_asyncio.fixture
async def page(browser: Chromium, tmp_path: Path) -> AsyncIterator[Page]:
    async with open_browser(browser, tmp_path / "profile") as found:
        yield found


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A report with all sections, of runs whose texts have no place to break."""
    api = ClusterApi()
    monkeypatch.setattr(access, "http_client", api.client)
    hostile = {"input": LONG, "reference": LONG, "output": LONG}
    old = put_run(api, "old", answers(BEFORE, **hostile), day=1)
    put_run(api, "other", answers(BEFORE), day=2, model="nvidia/" + "nemotron" * 20)
    name = "new-" + "x" * 200
    put_run(api, name, answers(AFTER, **hostile), day=3, status=gate_status("old", old), gate=GATE)
    other_config = json.dumps({"type": "custom", "params": {"prompt": LONG, LONG[:100]: 1}})
    put_run(api, "apart", answers(BEFORE), day=4, config=other_config)
    file = tmp_path / "report.html"
    kubeconfig = str(write_kubeconfig(tmp_path))
    assert (
        run_command_line(["report", name, "other", "apart", "-o", str(file), "--kubeconfig", kubeconfig]) == 0
    )
    return file


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_charts_are_drawn_and_nothing_overflows(
    page: Page, report: Path, width: int, scheme: str
) -> None:
    await page.show(report, width=width, scheme=scheme)
    charts: list[tuple[float, float, int]] = await page.evaluate(CHARTS)
    assert len(charts) >= 5
    assert all(wide > 100 and high > 10 and drawn for wide, high, drawn in charts)
    assert await page.evaluate(TOO_WIDE) == []
    assert page.problems == []
    assert page.requests == [report.as_uri()]
    assert await page.evaluate("document.scripts.length") == 0
    text: str = await page.evaluate("document.body.innerText")
    assert "What differs" in text
    assert "Not compared: " in text


async def test_the_ground_is_dark_where_the_reader_wants_it_and_white_on_paper(
    page: Page, report: Path
) -> None:
    async def ground(**options: Any) -> str:
        await page.show(report, width=1000, **options)
        colour: str = await page.evaluate(GROUND)
        return colour

    assert await ground() == "rgb(255, 255, 255)"
    assert await ground(scheme="dark") == "rgb(20, 23, 28)"
    assert await ground(scheme="dark", media="print") == "rgb(255, 255, 255)"
    printed = await page.pdf()
    assert printed.startswith(b"%PDF-")
