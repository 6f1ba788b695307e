"""What a new run would be started for in vain, as far as it is certain before: pure.

An evaluation takes hours, and these faults would be reported at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.lifecycle.requests import differences
from nemo_eval_operator.resources import BenchmarkSpec, EvalJobSpec, NemoEvalJob

from .exit_codes import CommandFailed, ExitCode

__all__ = ["as_written", "refuse_a_missing_target", "refuse_a_model", "refuse_another_config"]

MEASURED: Final = ("benchmarkRef", "config", "samplingParams", "limitSamples")
"""Fields of spec that decide which config a run measures (`status.benchmark.hash`)."""

WITHOUT_MODEL: Final = {
    "agentic": ("recorded conversations of agents", "cached_outputs or dataset"),
    "rag": ("what a RAG pipeline retrieves and answers", "rag or dataset"),
    "retriever": ("what a retriever finds", "retriever"),
}
"""Config types of NeMo that evaluate no model: what they score, and the types of target that they take.

`similarity_metrics` takes a model as well as recorded answers.
"""

MAX_FIELDS: Final = 5
"""Fields named in a message."""


def as_written(part: EvalJobSpec) -> JsonObject:
    """Return the spec as it was written: without defaults and nulls."""
    return part.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)


def _measured(spec: JsonObject) -> JsonObject:
    """Return the fields that decide which config a run measures; empty ones decide nothing."""
    return {field: spec[field] for field in MEASURED if spec.get(field)}


def refuse_another_config(
    spec: JsonObject, baseline: NemoEvalJob, *, like: NemoEvalJob | None, given: Mapping[str, str]
) -> None:
    """Raise CommandFailed where the gate could not compare: the baseline measured something else.

    `like`: the run of that option. `given`: the options of what is measured, by the path that each sets.
    """
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
    others = [option for path, option in given.items() if _at(theirs, path) != _at(ours, path)]
    steps = [*_like_the_baseline(baseline, like), *([f"remove {' and '.join(others)}"] if others else [])]
    raise CommandFailed(
        f"the gate could not compare this run with {name}: {shown}. To evaluate as that run did, "
        f"{' and '.join(steps)}",
        ExitCode.USAGE,
    )


def _like_the_baseline(baseline: NemoEvalJob, like: NemoEvalJob | None) -> list[str]:
    """Return how to start from what the baseline measured; empty where the command does."""
    name = baseline.metadata.name
    if like is None:
        return [f"add --like {name}"]
    if _measured(as_written(like.spec)) == _measured(as_written(baseline.spec)):
        return []
    return [f"use --like {name} instead of --like {like.metadata.name}"]


def _at(spec: JsonObject, path: str) -> JsonValue:
    """Return the value at a dotted path; None where it is not set."""
    value: JsonValue = spec
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def refuse_a_model(spec: JsonObject, benchmark: BenchmarkSpec | None) -> None:
    """Raise CommandFailed where a model is to be evaluated by what evaluates something else."""
    match spec:
        case {"target": {"type": "model"}} | {"model": str(_)}:
            pass
        case _:
            return
    if needed := _needed_target(benchmark or EvalJobSpec.model_validate(spec)):
        raise CommandFailed(f"{needed}, instead of a model", ExitCode.USAGE)


def refuse_a_missing_target(benchmark: BenchmarkSpec) -> None:
    """Raise CommandFailed where the benchmark, which is run without a target, surely evaluates no model."""
    if needed := _needed_target(benchmark):
        raise CommandFailed(needed, ExitCode.USAGE)


def _needed_target(part: BenchmarkSpec | EvalJobSpec) -> str | None:
    """Return what has to be given instead of a model; None where a model may be evaluated."""
    config = part.config
    if config is None:
        return None
    if (found := WITHOUT_MODEL.get(config.type)) is not None:
        subject, types = found
        what = f"{subject} (config type {config.type})"
    elif (task := _task_of_recorded_answers(part)) is not None:
        what, types = f"recorded answers (task {task} calls no model and has no dataset)", "dataset or rows"
    else:
        return None
    return f"this benchmark scores {what}: give --target FILE with a target of type {types}"


def _task_of_recorded_answers(part: BenchmarkSpec | EvalJobSpec) -> str | None:
    """Return the first task that certainly scores the target's recorded answers; None where there is none.

    That is certain for tasks of the type `data` of a custom config: they call no model, and without a dataset
    of their own their rows are those of the target.
    """
    config = part.config
    if config is None or config.type != "custom":
        return None
    filled = tuple(source.target_path for source in part.values_from)
    for name, task in (config.tasks or {}).items():
        # A Secret may hold the name of the dataset.
        is_open = any("dataset" in path for path in filled)
        if task.type == "data" and task.dataset is None and not is_open:
            return name
    return None
