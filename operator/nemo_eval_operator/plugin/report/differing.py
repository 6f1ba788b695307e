"""What differs between the configs and targets of two runs, and whether that makes them incomparable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle.requests import Differences, differences, recorded_config
from nemo_eval_operator.resources import BaselineUsed, NemoEvalJob

from .details import target_document
from .model import Difference
from .reading import KeptResults
from .texts import name_text

__all__ = ["Differing", "Measured", "differing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run measured, as far as it is known."""

    run: str
    hash: str | None
    config: JsonObject | None = None
    target: JsonObject | None = None

    @classmethod
    def of(cls, job: NemoEvalJob, kept: KeptResults) -> Measured:
        """Return what the run measured; the config only where it is kept as a whole."""
        digest = job.status.benchmark.hash if job.status.benchmark else None
        config = recorded_config(kept.config, digest)
        return cls(run=job.metadata.name, hash=digest, config=config, target=target_document(job))

    @classmethod
    def of_deleted(cls, baseline: BaselineUsed) -> Measured:
        """Return what the baseline of a gate measured, which was deleted or run again since."""
        return cls(run=baseline.name, hash=baseline.benchmark_hash)


@dataclass(frozen=True, slots=True)
class Differing:
    """The fields that differ, and why the runs cannot be compared; empty where they can."""

    why: str
    fields: tuple[Difference, ...]
    left_out: int


def differing(before: Measured, after: Measured) -> Differing:
    """Return what differs between two runs."""
    is_other = before.hash is not None and after.hash is not None and before.hash != after.hash
    config = _differences(before.config, after.config) if is_other else Differences()
    target = _differences(before.target, after.target)
    why = f"{before.run} and {after.run} measured different configs" if is_other else ""
    if is_other and not config.found:
        why += ": their status.benchmark.hash differs"
    fields = (*_fields("config", config), *_fields("target", target))
    return Differing(why, fields, config.left_out + target.left_out)


def _differences(before: JsonObject | None, after: JsonObject | None) -> Differences:
    return Differences() if before is None or after is None else differences(before, after)


def _fields(document: Literal["config", "target"], of: Differences) -> tuple[Difference, ...]:
    return tuple(
        Difference(
            document=document,
            path=name_text(one.path),
            baseline=name_text(one.first),
            candidate=name_text(one.second),
        )
        for one in of.found
    )
