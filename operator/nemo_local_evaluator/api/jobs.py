"""/v1/evaluation/jobs"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from nemo_local_evaluator.api.access import Access
from nemo_local_evaluator.api.answers import Answer
from nemo_local_evaluator.api.errors import refusals
from nemo_local_evaluator.api.listing import ListingQuery, page_of
from nemo_local_evaluator.schemas import DeleteResponse, Job, JobInput, Page, Result, StatusDetails
from nemo_local_evaluator.storage import Listing

router = APIRouter(prefix="/v1/evaluation/jobs", tags=["jobs"])

_listing = ListingQuery("namespace", "status", "config", "target", "project", "custom_fields", "created_at")


@router.post("", status_code=201, responses={201: {"model": Job}, **refusals(400, 404)})
async def create_job(
    services: Access,
    body: JobInput,
    *,
    skip_validation_checks: Annotated[
        bool, Query(description="Do not check dataset, model and metrics first; the job may fail instead.")
    ] = False,
) -> Answer:
    return Answer(await services.jobs.create(body, skip_checks=skip_validation_checks), status_code=201)


@router.get("", responses={200: {"model": Page}})
async def list_jobs(services: Access, listing: Annotated[Listing, Depends(_listing)]) -> Answer:
    return Answer(page_of(*services.jobs.list(listing), listing))


@router.get("/{job_id}", responses={200: {"model": Job}, **refusals(404)})
async def get_job(services: Access, job_id: str) -> Answer:
    return Answer(services.jobs.get(job_id))


@router.get("/{job_id}/status", responses={200: {"model": StatusDetails}, **refusals(404)})
async def get_job_status(services: Access, job_id: str) -> Answer:
    return Answer(services.jobs.status(job_id))


@router.get("/{job_id}/results", responses={200: {"model": Result}, **refusals(404)})
async def get_job_results(services: Access, job_id: str) -> Answer:
    return Answer(services.jobs.result(job_id))


@router.post("/{job_id}/cancel", responses={200: {"model": Job}, **refusals(404)})
async def cancel_job(services: Access, job_id: str) -> Answer:
    return Answer(services.jobs.cancel(job_id))


@router.delete("/{job_id}", responses=refusals(404))
async def delete_job(services: Access, job_id: str) -> DeleteResponse:
    await services.jobs.delete(job_id)
    return DeleteResponse(id=job_id)
