"""The page of the operator's Prometheus metrics, from their registry."""

from collections.abc import Iterator
from typing import Final

from nemo_eval_operator.runtime.metrics import PREFIX, Metrics
from testbed.reference.markdown import GENERATED, cell, table

__all__ = ["metrics_page"]

_HEAD: Final = """\
# Metrics of the operator

Metrics at `/metrics`, in Prometheus' text format. All names begin with `nemo_eval_operator_`,
except those that are shown with `nemo_eval_`: scores and verdicts of runs, which need
`NEMO_METRICS_OBJECT_NAMES`.
Histograms have `_bucket`, `_sum` and `_count`.
[Monitoring](../how-to/monitor.md) explains access, alerts and how many values a label can have.

"""


def metrics_page() -> str:
    """Return the page."""
    metrics = Metrics(object_names=True, score_series=1)
    metrics.show_queue(depth=lambda: 0, oldest_wait=lambda: 0)
    metrics.show_slots(taken=lambda: 0, waiting=lambda: 0)
    return GENERATED + "\n" + _HEAD + table(("metric", "type", "meaning"), sorted(_rows(metrics)))


def _rows(metrics: Metrics) -> Iterator[tuple[str, str, str]]:
    # prometheus_client shows label names only with values; these metrics have none yet.
    for collector in metrics._registry._collector_to_names:  # noqa: SLF001
        for family in collector.collect():
            labels = getattr(collector, "_labelnames", None) or getattr(family, "_labelnames", ())
            suffix = "_total" if family.type == "counter" else ""
            shown = f"{{{','.join(labels)}}}" if labels else ""
            name = f"{family.name.removeprefix(PREFIX)}{suffix}{shown}"
            yield f"`{name}`", family.type, cell(family.documentation)
