"""The panels of the chart's dashboard, and what a Prometheus answers to their queries."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nemo_eval_operator.plugin.report.axes import Axis
from testbed.chart import CHART
from testbed.prometheus import Prometheus

__all__ = ["Panel", "as_sent", "panels"]

_DASHBOARD: Final = CHART / "files" / "dashboards" / "nemo-evaluations.json"
_POINTS: Final = 300
"""Of one line, at most."""

Series = list[dict[str, Any]]


@dataclass(frozen=True)
class Panel:
    """A panel as the dashboard defines it, with the series of its queries by their legends."""

    definition: Mapping[str, Any]
    series: Mapping[str, Series]
    time: Axis

    @property
    def unit(self) -> str:
        """Grafana's name of the unit."""
        return str(self._defaults.get("unit", ""))

    @property
    def labels(self) -> list[str]:
        """The labels that a table shows."""
        left_out = {
            name for one in self.definition["transformations"] for name in one["options"]["excludeByName"]
        }
        return sorted({label for one in self.series[""] for label in one["metric"]} - left_out)

    @property
    def lines(self) -> dict[str, list[tuple[float, float]]]:
        """The points of a chart's lines by name."""
        return {
            re.sub(r"\{\{(\w+)\}\}", lambda label: one["metric"].get(label[1], ""), legend): [  # noqa: B023
                (at, float(value)) for at, value in one["values"]
            ]
            for legend, series in self.series.items()
            for one in series
        }

    @property
    def values(self) -> Axis:
        """The axis of a chart's values."""
        found = [value for points in self.lines.values() for _, value in points if math.isfinite(value)]
        return Axis(0, 1.05 * max(found, default=0) or 1)

    def colour_of(self, value: str) -> str:
        """Return the colour that the dashboard gives to a value; empty where it has none."""
        for mapping in self._defaults.get("mappings", ()):
            if value in mapping["options"]:
                return str(mapping["options"][value]["color"])
        steps = self._defaults.get("thresholds", {}).get("steps", ())
        reached = [step["color"] for step in steps if step["value"] is None or float(value) >= step["value"]]
        return reached[-1] if reached else ""

    @property
    def _defaults(self) -> Mapping[str, Any]:
        defaults: Mapping[str, Any] = self.definition.get("fieldConfig", {}).get("defaults", {})
        return defaults


def as_sent(query: str) -> str:
    """Return the query as Grafana sends it with every value of each variable, and a short interval."""
    return re.sub(r"\$(namespace|benchmark|model)\b", ".*", query).replace("$__rate_interval", "10s")


def panels(prometheus: Prometheus, time: Axis) -> Iterator[Panel]:
    """Return all panels in order, with the answers of Prometheus for a time in seconds since 1970."""
    step = math.ceil((time.high - time.low) / _POINTS)
    for panel in json.loads(_DASHBOARD.read_text())["panels"]:
        queries = {target["legendFormat"]: as_sent(target["expr"]) for target in panel.get("targets", ())}
        if panel["type"] == "timeseries":
            yield Panel(
                panel,
                {
                    legend: prometheus.query_range(query, start=time.low, end=time.high, step=step)
                    for legend, query in queries.items()
                },
                time,
            )
        else:
            yield Panel(panel, {legend: prometheus.query(query) for legend, query in queries.items()}, time)
