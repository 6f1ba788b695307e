"""`python -m testbed.dashboard PROMETHEUS MINUTES FILE`: draws the dashboard as a PNG, without Grafana.

It shows the last minutes of a Prometheus that scrapes an operator with NEMO_METRICS_OBJECT_NAMES=true, such
as that of `NEMO_METRICS_OBJECT_NAMES=true make demo KEEP=1`, and needs Chromium.
"""

import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import jinja2

from nemo_eval_operator.plugin.report.axes import Axis
from testbed.browser import chromium
from testbed.dashboard.panels import Panel, panels
from testbed.page import open_browser
from testbed.prometheus import Prometheus

_WIDTH: Final = 1400
_TIMES: Final = 5
"""Labels of an axis of time."""
_HEIGHT: Final = "document.documentElement.scrollHeight"


def main(arguments: Sequence[str]) -> int:
    """Draw what a command line names, and return the exit code."""
    match arguments:
        case [url, minutes, file]:
            now = time.time()
            Path(file).write_bytes(asyncio.run(_picture(url, Axis(now - 60 * float(minutes), now))))
            return 0
        case _:
            print(__doc__, file=sys.stderr)
            return 64


async def _picture(url: str, shown: Axis) -> bytes:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"path": _path, "clock": _clock}
    times = [shown.low + n * (shown.high - shown.low) / (_TIMES - 1) for n in range(_TIMES)]
    drawn = environment.get_template("page.html").render(panels=panels(Prometheus(url), shown), times=times)
    with tempfile.TemporaryDirectory() as directory:
        page = Path(directory) / "dashboard.html"
        page.write_text(drawn)
        async with open_browser(chromium(), Path(directory) / "profile") as tab:
            await tab.show(page, width=_WIDTH)
            await tab.show(page, width=_WIDTH, height=await tab.evaluate(_HEIGHT))
            return await tab.screenshot()


def _path(points: Sequence[tuple[float, float]], panel: Panel) -> str:
    """Return the SVG path through the points, in percent; one that is not a number is a gap."""
    values, commands, pen = panel.values, [], "M"
    for at, value in points:
        if math.isfinite(value):
            commands.append(f"{pen}{panel.time.at(at)},{100 - values.at(value)}")
        pen = "L" if math.isfinite(value) else "M"
    return " ".join(commands)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
