"""Academic benchmarks: config types that are tasks of EleutherAI's lm-eval, which runs as a child process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nemo_local_evaluator.datasets import item_id
from nemo_local_evaluator.harness import (
    NEMO_TYPES,
    SILENCE,
    HarnessRun,
    Request,
    extra_of,
    ranked_scores,
    request_of,
)
from nemo_local_evaluator.models import Endpoint
from nemo_local_evaluator.wire.errors import EvaluationError, Unsupported
from nemo_local_evaluator.wire.schemas import ConfigInput, Model, Params, TargetInput
from nemo_local_evaluator.wire.suggestions import closest

from .base import Evaluation, Observer, Outcome, Resources
from .endpoints import Endpoints
from .task_plan import DEFAULT_PARALLELISM, MAX_PARALLELISM
from .unused import refuse_groups

__all__ = ["plan"]

_COMPLETED: Final = "Job completed successfully"

_OTHER_HARNESSES: Final[Mapping[str, frozenset[str]]] = {
    "BFCL": frozenset({"bfcl", "bfclv2", "bfclv2_ast", "bfclv3", "bfclv3_ast"}),
    "BigCode": frozenset({"humanevalplus", "mbppplus", "mbppplus_nemo", "transcode_cpp", "transcode_java"}),
    "Simple-evals": frozenset(
        {
            "AA_AIME_2024",
            "AA_math_test_500",
            "AIME_2024",
            "AIME_2025",
            "aime_2024_nemo",
            "aime_2025_nemo",
            "gpqa_diamond",
            "gpqa_diamond_nemo",
            "gpqa_experts",
            "gpqa_extended",
            "gpqa_main",
            "math_test_500",
            "math_test_500_nemo",
            "simpleqa",
        }
    ),
    "the safety harness": frozenset({"aegis_v2", "wildguard"}),
}
"""Types of NVIDIA's other harnesses, for messages only: a task of that name in `--harness-tasks` is run."""


def plan(
    config: ConfigInput, target: TargetInput, *, endpoints: Endpoints, resources: Resources
) -> Evaluation:
    """Return the evaluation of a config of an academic type. Raise EvaluationError."""
    try:
        return _plan(config, target, endpoints=endpoints, resources=resources)
    except EvaluationError as fault:
        near = closest(config.type, NEMO_TYPES)
        if near is None:
            raise
        raise type(fault)(
            f"{fault}. NeMo Evaluator has no type {config.type!r} of its own: did you mean {near}?"
        ) from fault


def _plan(
    config: ConfigInput, target: TargetInput, *, endpoints: Endpoints, resources: Resources
) -> Evaluation:
    if target.type != "model":
        raise EvaluationError(
            f"config type {config.type!r} calls a model, but the target's type is {target.type!r}"
        )
    if isinstance(target.model, Model) and target.model.prompt is not None:
        raise Unsupported(
            "target.model.prompt is not supported for academic benchmarks: write the system prompt to "
            "params.extra.system_instruction, and the sampling parameters to params"
        )
    params = config.params or Params()
    endpoint = endpoints.of(target.model, "chat-completion", params, owner="the target")
    parallelism = min(params.parallelism or DEFAULT_PARALLELISM, MAX_PARALLELISM)
    try:
        tasks = _tasks(config)
        request = request_of(
            config.type,
            tasks,
            params,
            endpoint,
            parallelism=parallelism,
            tokenizers=resources.harness.tokenizer_directories,
        )
        token = extra_of(params).hf_token
    except EvaluationError as fault:
        raise _with_the_type_first(config.type, fault) from fault
    return _HarnessEvaluation(
        request=request, endpoint=endpoint, hf_token=token and token.strip(), resources=resources
    )


def _tasks(config: ConfigInput) -> list[str]:
    """Return lm-eval's names of what is evaluated: the types of the config's tasks, or its own type."""
    refuse_groups(config)
    for name, task in (config.tasks or {}).items():
        for field in ("params", "dataset", "metrics"):
            if getattr(task, field):
                raise Unsupported(
                    f"tasks.{name}.{field} has no effect here: tasks of lm-eval define their own. Remove it"
                )
    return list(dict.fromkeys(task.type for task in (config.tasks or {}).values())) or [config.type]


def _with_the_type_first(config_type: str, fault: EvaluationError) -> EvaluationError:
    """Return the fault of a config, behind what is more likely wrong with it: that lm-eval lacks its type."""
    harness = next((name for name, types in _OTHER_HARNESSES.items() if config_type in types), None)
    if harness is not None:
        return Unsupported(
            f"config type {config_type!r} is a benchmark of {harness}, which this server does not run; it has"
            " those of lm-eval"
        )
    return type(fault)(f"config type {config_type!r} is taken for a benchmark of lm-eval: {fault}")


@dataclass(frozen=True, kw_only=True)
class _HarnessEvaluation:
    request: Request
    endpoint: Endpoint
    hf_token: str | None
    resources: Resources

    async def check(self) -> None:
        # Not the task's name: lm-eval takes ten seconds to say which it knows.
        await self.resources.models.check(self.endpoint)

    async def run(self, observer: Observer) -> Outcome:
        await self.resources.models.ready(self.endpoint, observer.log)
        # How far lm-eval is, only the log says; NeMo reports no progress of these jobs either.
        run = HarnessRun(
            harness=self.resources.harness,
            request=self.request,
            api_key=self.endpoint.api_key,
            hf_token=self.hf_token,
            silence=SILENCE + self.endpoint.timeout * (self.endpoint.retries + 1),
            log=observer.log,
            sample=lambda task, document: observer.sample(
                task, {**document, "item_id": item_id(document.get("item"))}
            ),
        )
        scores = await run.scores()
        return Outcome(
            tasks=ranked_scores(scores.tasks, scores.filters),
            groups=ranked_scores(scores.groups, scores.filters),
            message=_COMPLETED,
        )
