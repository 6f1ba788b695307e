"""The report as one HTML file without scripts: Jinja2 escapes every text, and draws the charts as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .charts import charts_of
from .model import Report

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["ReportNeedsExtra", "as_html"]


class ReportNeedsExtra(Exception):
    """The package was installed without the extra that HTML needs."""


def as_html(report: Report) -> str:
    """Return the file. Raises ReportNeedsExtra."""
    return _environment().get_template("report.html").render(report=report, charts=charts_of(report))


def _environment() -> Environment:
    try:
        import jinja2  # noqa: PLC0415 - needed for HTML only
    except ImportError as error:
        raise ReportNeedsExtra(
            "HTML needs the extra `plugin`: install the operator's package with it, such as by "
            "`uv tool install '.[plugin]'`, or write .md or .json"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nemo_eval_operator.plugin.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["change"] = _change
    environment.filters["percent"] = _percent
    return environment


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _change(value: float | None, form: str) -> str:
    return "" if value is None else f"{value:{form}}"


def _percent(value: float) -> str:
    return f"{100 * value:.4g}%"
