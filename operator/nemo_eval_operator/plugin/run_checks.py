"""What a new run would be started for in vain, as far as it is certain before: pure.

An evaluation takes hours, and these faults would be reported at its end.
"""

from __future__ import annotations

from typing import Final

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle.requests import differences
from nemo_eval_operator.resources import BenchmarkSpec, EvalJobSpec, NemoEvalJob

from .exit_codes import CommandFailed, ExitCode

__all__ = ["as_written", "refuse_a_model", "refuse_another_config"]

MEASURED: Final = ("benchmarkRef", "config", "samplingParams", "limitSamples")
"""Fields of spec that decide which config a run measures (`status.benchmark.hash`)."""

MAX_FIELDS: Final = 5
"""Fields named in a message."""


def as_written(part: EvalJobSpec) -> JsonObject:
    """Return the spec as it was written: without defaults and nulls."""
    return part.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def _measured(spec: JsonObject) -> JsonObject:
    """Return the fields that decide which config a run measures."""
    return {field: spec[field] for field in MEASURED if field in spec}


def refuse_another_config(spec: JsonObject, baseline: NemoEvalJob) -> None:
    """Raise CommandFailed where the gate could not compare: the baseline measured something else."""
    name = baseline.metadata.name
    if baseline.spec.dry_run:
        raise CommandFailed(
            f"{name} cannot be the baseline: it is a dry run, which evaluates one sample of each task: "
            "name another run",
            ExitCode.USAGE,
        )
    theirs, ours = _measured(as_written(baseline.spec)), _measured(spec)
    if theirs == ours:
        return
    found = differences(theirs, ours)
    fields = [f"spec.{one.path} is {one.first} there and {one.second} here" for one in found.found]
    more = found.left_out + len(fields[MAX_FIELDS:])
    shown = "; ".join([*fields[:MAX_FIELDS], *([f"and {more} more"] if more else [])])
    raise CommandFailed(
        f"the gate could not compare this run with {name}: {shown}. To evaluate as that run did, add "
        f"--like {name}",
        ExitCode.USAGE,
    )


def refuse_a_model(spec: JsonObject, benchmark: BenchmarkSpec | None) -> None:
    """Raise CommandFailed where a model is to be evaluated by tasks that score recorded answers.

    That is certain for tasks of the type `data` of a custom config: they call no model, and without a dataset
    of their own their rows are those of the target.
    """
    match spec:
        case {"target": {"type": "model"}} | {"model": str(_)}:
            pass
        case _:
            return
    part = benchmark or EvalJobSpec.model_validate(spec)
    config = part.config
    if config is None or config.type != "custom":
        return
    filled = tuple(source.target_path for source in part.values_from)
    for name, task in (config.tasks or {}).items():
        # A Secret may hold the name of the dataset.
        is_open = any("dataset" in path for path in filled)
        if task.type == "data" and task.dataset is None and not is_open:
            raise CommandFailed(
                f"this benchmark scores recorded answers (task {name} calls no model and has no dataset): "
                "give --target FILE with a target of type dataset or rows, instead of a model",
                ExitCode.USAGE,
            )
