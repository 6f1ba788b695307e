"""Academic benchmarks: config types that are tasks of EleutherAI's lm-eval, which runs as a child process."""

from dataclasses import dataclass
from typing import Final

from nemo_local_evaluator.errors import EvaluationError, UnsupportedError
from nemo_local_evaluator.evaluations.base import Evaluation, Observer, Outcome, Resources
from nemo_local_evaluator.evaluations.endpoints import Endpoints
from nemo_local_evaluator.evaluations.tasks import DEFAULT_PARALLELISM, MAX_PARALLELISM
from nemo_local_evaluator.harness import SILENCE, HarnessRun, Request, extra_of, ranked_scores, request_of
from nemo_local_evaluator.model_client import Endpoint
from nemo_local_evaluator.schemas import ConfigInput, Model, Params, TargetInput

__all__ = ["plan"]

_COMPLETED: Final = "Job completed successfully"


def plan(
    config: ConfigInput, target: TargetInput, *, endpoints: Endpoints, resources: Resources
) -> Evaluation:
    """Raises EvaluationError."""
    if target.type != "model":
        msg = f"config type {config.type!r} calls a model, but the target's type is {target.type!r}"
        raise EvaluationError(msg)
    if isinstance(target.model, Model) and target.model.prompt is not None:
        msg = (
            "target.model.prompt is not supported for academic benchmarks: write the system prompt to "
            "params.extra.system_instruction, and the sampling parameters to params"
        )
        raise UnsupportedError(msg)
    params = config.params or Params()
    endpoint = endpoints.of(target.model, "chat-completion", params, owner="the target")
    parallelism = min(params.parallelism or DEFAULT_PARALLELISM, MAX_PARALLELISM)
    request = request_of(config.type, params, endpoint, parallelism=parallelism)
    token = extra_of(params).hf_token
    return _HarnessEvaluation(
        request=request, endpoint=endpoint, hf_token=token and token.strip(), resources=resources
    )


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
            sample=observer.sample,
        )
        scores = await run.scores()
        return Outcome(
            tasks=ranked_scores(scores.tasks, scores.filters),
            groups=ranked_scores(scores.groups, scores.filters),
            message=_COMPLETED,
        )
