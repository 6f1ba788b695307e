"""The report as Markdown for pull requests.

Texts of a model or evaluator stand in code, where GitHub and GitLab turn neither names into mentions nor
addresses into links: between backticks where the text is plain, so that the source can be read too, else in
an HTML element with its characters escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from nemo_eval_operator.evaluator.model import shortened
from nemo_eval_operator.gates import markdown_cell

from .model import Comparison, Flips, Report, Run

__all__ = ["as_markdown"]

MAX_ITEMS: Final = 5
"""Items of one comparison that are shown of each direction: a pull request is no place for more."""

MAX_SCORES: Final = 20
"""Scores that are shown of one run."""

MAX_CELL_CHARACTERS: Final = 200

PLAIN: Final = re.compile(r"[\w ./:,;=+%()'\"?!#@~^*{}\[\]…-]+")
"""Texts that need no escaping between backticks in a table: without backtick, bar, backslash and HTML."""


def as_markdown(report: Report) -> str:
    """Return the report."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"## Evaluation report: {_code(report.title)}"
    yield from ("", f"**{markdown_cell(report.summary)}**", "")
    rows = [(*map(_code, (run.name, run.model, run.benchmark)), _verdict(run)) for run in report.runs]
    yield from _table(("run", "model", "benchmark", "outcome"), rows)
    for note in (*report.notes, *(note for run in report.runs for note in run.notes)):
        yield from ("", f"> {markdown_cell(note)}")
    for run in report.runs:
        if run.cause and run.passed is not True:
            yield from ("", f"> {_code(run.name)}: {_code(run.cause)}")
    for run in report.runs:
        yield from _gate(run)
    for run in report.runs:
        yield from _scores(run)
    for comparison in report.comparisons:
        yield from _comparison(comparison)
    for run in report.runs:
        yield from _provenance(run)
    yield from ("", f"Written {report.generated} by kubectl nemoeval {report.version}.")


def _verdict(run: Run) -> str:
    sign = "❔" if run.passed is None else "✅" if run.passed else "❌"
    dry = " (dry run: not a result of the benchmark)" if run.dry_run else ""
    limited = f" ({run.limited})" if run.limited else ""
    return f"{sign} {markdown_cell(run.outcome)}{dry}{limited}"


def _gate(run: Run) -> Iterator[str]:
    if not run.criteria:
        return
    yield from ("", f"### Gate of {_code(run.name)}: {run.verdict}", "")
    rows = [(_code(one.score), one.tier, one.result, _code(one.message)) for one in run.criteria]
    yield from _table(("criterion", "tier", "result", "why"), rows)


def _scores(run: Run) -> Iterator[str]:
    if not run.scores:
        return
    yield from ("", f"### Scores of {_code(run.name)}", "")
    rows = [
        (
            _code(one.name),
            _number(one.value),
            _interval(one.low, one.high),
            "" if one.items is None else f"{one.items}",
        )
        for one in run.scores[:MAX_SCORES]
    ]
    yield from _table(("score", "value", f"{100 * run.confidence:.4g}% interval", "items"), rows)
    more = len(run.scores) - len(rows) + run.scores_left_out
    if more:
        yield from ("", f"{more} more scores are not shown.")


def _comparison(one: Comparison) -> Iterator[str]:
    yield from ("", f"### {_code(one.candidate)} against {_code(one.baseline)}", "")
    if one.note:
        yield from (f"> Not compared: {markdown_cell(one.note)}", "")
    yield from _differences(one)
    rows = [
        (
            _code(change.score),
            f"{change.baseline:.4g} → {change.candidate:.4g}",
            f"{change.delta:{change.form}}",
            _interval(change.low, change.high, form=change.form),
            change.verdict,
            "" if change.better is None else f"{change.better} / {change.worse} / {change.equal}",
        )
        for change in one.changes[:MAX_SCORES]
    ]
    interval = f"{100 * one.confidence:.4g}% interval"
    if rows:
        yield from _table(("score", "values", "change", interval, "verdict", "better / worse / equal"), rows)
    for remark, scores in one.remarks.items():
        yield from ("", f"{', '.join(map(_code, scores[:MAX_SCORES]))}: {markdown_cell(remark)}")
    yield from _flips(one.became_worse, "worse")
    yield from _flips(one.became_better, "better")


def _differences(one: Comparison) -> Iterator[str]:
    if not one.differences:
        return
    yield from ("What differs:", "")
    rows = [
        (_code(f"{field.document}.{field.path}"), _code(field.baseline), _code(field.candidate))
        for field in one.differences
    ]
    yield from _table(("field", "baseline", "candidate"), rows)
    if one.differences_left_out:
        yield from ("", f"{one.differences_left_out} more fields differ.")
    yield ""


def _flips(found: Flips, word: str) -> Iterator[str]:
    if not found.flips:
        return
    yield from ("", f"Items that became {word}:", "")
    rows = [
        (
            _code(flip.input or flip.key),
            f"{_code(flip.score)} {flip.baseline:.4g} → {flip.candidate:.4g}",
            _code(flip.reference or ""),
            _code(flip.baseline_output or ""),
            _code(flip.candidate_output or ""),
        )
        for flip in found.flips[:MAX_ITEMS]
    ]
    yield from _table(("input", "score", "reference", "baseline output", "candidate output"), rows)
    more = len(found.flips[MAX_ITEMS:]) + found.left_out
    if more:
        yield from ("", f"{more} more became {word}.")


def _provenance(run: Run) -> Iterator[str]:
    yield from ("", f"<details><summary>Provenance of {_element(run.name)}</summary>", "")
    facts = [(fact.name, _code(fact.value)) for fact in (*run.environment, *run.provenance)]
    yield from _table(("", ""), facts)
    yield from ("", "</details>")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _code(text: str) -> str:
    plain = " ".join(shortened(text, MAX_CELL_CHARACTERS).split())
    return f"`{plain}`" if PLAIN.fullmatch(plain) else _element(text)


def _element(text: str) -> str:
    """Return the text as code in HTML, inside of which Markdown has no meaning."""
    cut = shortened(text, MAX_CELL_CHARACTERS)
    return f"<code>{markdown_cell(cut)}</code>" if cut.strip() else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(low: float | None, high: float | None, *, form: str = ".4g") -> str:
    return "" if low is None or high is None else f"{low:{form}} to {high:{form}}"
