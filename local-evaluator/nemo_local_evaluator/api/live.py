"""/v1/evaluation/live"""

from __future__ import annotations

from fastapi import APIRouter

from nemo_local_evaluator.wire.result_schemas import LiveEvaluation
from nemo_local_evaluator.wire.schemas import JobInput

from .access import Access
from .answers import Answer
from .bodies import JsonRoute
from .error_handlers import refusals

__all__ = ["evaluate_live", "router"]

router = APIRouter(prefix="/v1/evaluation/live", tags=["live"], route_class=JsonRoute)


@router.post("", responses={200: {"model": LiveEvaluation}, **refusals(400, 404, 413)})
async def evaluate_live(services: Access, body: JobInput) -> Answer:
    """Evaluate data tasks of at most 1,000 rows within 50 s, and keep nothing."""
    return Answer(await services.live.evaluate(body))
