"""Kopf's tutorial, applied to evaluations: a POST when an object is created, a timer that asks for its job.

Started as `kopf run --all-namespaces bench/baseline/operator.py`. It does what it looks like, and no more:
a crash between the POST and the write of its answer evaluates twice.
"""

import os
from typing import Any

import httpx
import kopf

EVALUATOR = os.environ["NVIDIA_EVALUATOR_URL"]
POLL_SECONDS = 10.0
JOBS = f"{EVALUATOR}/v1/evaluation/jobs"

PHASES = {"completed": "Succeeded", "failed": "Failed", "cancelled": "Cancelled"}


@kopf.on.startup()
async def connect(memo: kopf.Memo, **_: Any) -> None:
    memo.http = httpx.AsyncClient(timeout=30)


@kopf.on.create("evaluator.nemo.dev", "v1alpha1", "nemoevaljobs")
async def submit(
    spec: kopf.Spec, meta: kopf.Meta, patch: kopf.Patch, memo: kopf.Memo, uid: str, **_: Any
) -> None:
    body = {
        "namespace": meta.namespace,
        "config": spec["config"],
        "target": spec["target"],
        "custom_fields": {"k8s-uid": uid},
    }
    answer = await memo.http.post(JOBS, json=body)
    answer.raise_for_status()
    patch.status["jobId"] = answer.json()["id"]
    patch.status["phase"] = "Running"


@kopf.timer("evaluator.nemo.dev", "v1alpha1", "nemoevaljobs", interval=POLL_SECONDS)
async def poll(status: kopf.Status, patch: kopf.Patch, memo: kopf.Memo, **_: Any) -> None:
    job_id = status.get("jobId")
    if job_id is None or status.get("completionTime"):
        return
    job = (await memo.http.get(f"{JOBS}/{job_id}")).json()
    patch.status["progress"] = {"percent": int(job["status_details"]["progress"] or 0)}
    if job["status"] in PHASES:
        results = (await memo.http.get(f"{JOBS}/{job_id}/results")).json()
        patch.status["phase"] = PHASES[job["status"]]
        patch.status["message"] = str(results["tasks"])[:200]
        patch.status["completionTime"] = job["updated_at"].partition(".")[0] + "Z"
