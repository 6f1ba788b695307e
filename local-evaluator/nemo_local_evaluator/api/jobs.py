"""/v1/evaluation/jobs"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from nemo_local_evaluator.services import Archive
from nemo_local_evaluator.wire.result_schemas import Result
from nemo_local_evaluator.wire.schemas import DeleteResponse, Job, JobInput, Page, StatusDetails

from .access import Access
from .answers import Answer
from .bodies import JsonRoute
from .error_handlers import refusals
from .list_queries import ListingQuery, ListQuery

__all__ = [
    "cancel_job",
    "create_job",
    "delete_job",
    "download_job_logs",
    "download_job_results",
    "get_job",
    "get_job_results",
    "get_job_status",
    "list_jobs",
    "router",
]

router = APIRouter(prefix="/v1/evaluation/jobs", tags=["jobs"], route_class=JsonRoute)

_listing: Final = ListingQuery(
    filters=("namespace", "status", "config", "target", "project", "custom_fields", "created_at"),
    searches=(
        *("id", "namespace", "status", "status_details", "config", "target", "project", "description"),
        *("custom_fields", "ownership", "result", "output_files_url"),
    ),
)

_ZIP: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        "description": "A ZIP file.",
    }
}


@router.post("", status_code=201, responses={201: {"model": Job}, **refusals(400, 404, 413)})
async def create_job(
    services: Access,
    body: JobInput,
    *,
    skip_validation_checks: Annotated[
        bool, Query(description="Do not check dataset, model and metrics first; the job may fail instead.")
    ] = False,
) -> Answer:
    return Answer(await services.jobs.create(body, skip_checks=skip_validation_checks), status_code=201)


@router.get("", responses={200: {"model": Page[Job]}}, openapi_extra=_listing.openapi)
async def list_jobs(services: Access, query: Annotated[ListQuery, Depends(_listing)]) -> Answer:
    return Answer(query.page(services.jobs.list(query.listing)))


@router.get("/{job_id}", responses={200: {"model": Job}, **refusals(404)})
async def get_job(services: Access, job_id: str) -> Answer:
    return Answer(services.jobs.get(job_id))


@router.get("/{job_id}/status", responses={200: {"model": StatusDetails}, **refusals(404)})
async def get_job_status(services: Access, job_id: str) -> Answer:
    return Answer(services.jobs.status(job_id))


@router.get("/{job_id}/results", responses={200: {"model": Result}, **refusals(404)})
async def get_job_results(services: Access, job_id: str) -> Answer:
    return Answer(services.jobs.result(job_id))


@router.get("/{job_id}/logs", response_class=StreamingResponse, responses={**_ZIP, **refusals(404)})
async def download_job_logs(services: Access, job_id: str) -> StreamingResponse:
    return _download(await services.jobs.logs(job_id), name=f"{job_id}-logs.zip")


@router.get(
    "/{job_id}/download-results", response_class=StreamingResponse, responses={**_ZIP, **refusals(404)}
)
async def download_job_results(services: Access, job_id: str) -> StreamingResponse:
    """The job and its result as they are answered, its log, and every sample, one JSON Lines file a task."""
    return _download(await services.jobs.result_files(job_id), name=f"{job_id}-results.zip")


@router.post("/{job_id}/cancel", responses={200: {"model": Job}, **refusals(404)})
async def cancel_job(services: Access, job_id: str) -> Answer:
    return Answer(services.jobs.cancel(job_id))


@router.delete("/{job_id}", responses=refusals(404))
async def delete_job(services: Access, job_id: str) -> DeleteResponse:
    await services.jobs.delete(job_id)
    return DeleteResponse(id=job_id)


def _download(archive: Archive, *, name: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(archive.size)}
    return StreamingResponse(archive.chunks(), media_type="application/zip", headers=headers)
