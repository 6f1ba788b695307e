"""A user of the cluster while everything breaks, who creates, changes and lists objects past the proxies."""

import ssl
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

import httpx

from nemo_eval_operator.kube import Credentials
from testbed.chaos.workload import Act
from testbed.faults import Upstream

__all__ = ["Objects", "remote_jobs", "remote_scores"]

_API: Final = "/apis/evaluator.nemo.dev/v1alpha1/namespaces"
_MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}
_PAGE_SIZE: Final = 500
_PATIENCE_SECONDS: Final = 60
_RETRY_SECONDS: Final = 0.2
_COMING_UP: Final = {429, 500, 503}
_REFUSALS: Final = frozenset(range(400, 429))


class Objects:
    """The objects of one namespace."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        credentials = Credentials.find(kubeconfig)
        authorization = credentials.authorization()
        tls: ssl.SSLContext | bool = Upstream.of_kubeconfig(kubeconfig).tls or True
        self._path = f"{_API}/{namespace}"
        self._core = f"/api/v1/namespaces/{namespace}"
        self._http = httpx.Client(
            base_url=credentials.server,
            verify=tls,
            headers={"Authorization": authorization} if authorization else {},
            timeout=30,
            trust_env=False,
        )

    def create(self, manifest: dict[str, Any]) -> None:
        plural = f"{manifest['kind'].lower()}s"
        # A conflict is a try of our own that was carried out.
        self._send("POST", f"{self._path}/{plural}", json=manifest, also_good={httpx.codes.CONFLICT})

    def try_to_create(self, manifest: dict[str, Any]) -> bool:
        """Create what the API server may refuse; False where it does."""
        path = f"{self._path}/{manifest['kind'].lower()}s"
        return self._send("POST", path, json=manifest, also_good=_REFUSALS).is_success

    def try_to_patch(self, plural: str, name: str, patch: dict[str, Any]) -> bool:
        """Write what the API server may refuse; False where it does."""
        path = f"{self._path}/{plural}/{name}"
        answer = self._send("PATCH", path, json=patch, headers=_MERGE_PATCH, also_good=_REFUSALS)
        return answer.is_success

    def act(self, act: Act, name: str) -> None:
        """Do to a job what its kind asks for; a job that is gone already is skipped."""
        path = f"{self._path}/nemoevaljobs/{name}"
        match act:
            case Act.DELETE:
                self._send("DELETE", path, also_good={httpx.codes.NOT_FOUND})
            case Act.CANCEL:
                self._merge(path, {"spec": {"cancel": True}})
            case Act.RESUME:
                self._merge(path, {"spec": {"suspend": False}})
            case Act.RERUN:
                self._merge(path, {"metadata": {"annotations": {"evaluator.nemo.dev/rerun": "once"}}})
            case Act.NOTHING:
                return

    def jobs(self) -> dict[str, dict[str, Any]]:
        """All NemoEvalJobs by name."""
        return self._list(f"{self._path}/nemoevaljobs")

    def benchmarks(self) -> dict[str, dict[str, Any]]:
        return self._list(f"{self._path}/nemobenchmarks")

    def config_maps(self) -> dict[str, dict[str, Any]]:
        return self._list(f"{self._core}/configmaps")

    def _list(self, path: str) -> dict[str, dict[str, Any]]:
        answer = self._send("GET", path).json()
        return {item["metadata"]["name"]: item for item in answer["items"]}

    def _merge(self, path: str, patch: dict[str, Any]) -> None:
        self._send("PATCH", path, json=patch, headers=_MERGE_PATCH, also_good={httpx.codes.NOT_FOUND})

    def _send(
        self, method: str, path: str, *, also_good: Collection[int] = (), **request: Any
    ) -> httpx.Response:
        """A person is patient with an API server that comes up again. Raises httpx.HTTPError in the end."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                answer = self._http.request(method, path, **request)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.status_code in also_good:
                    return answer
                if answer.status_code not in _COMING_UP or time.monotonic() > deadline:
                    return answer.raise_for_status()
            time.sleep(_RETRY_SECONDS)


def remote_jobs(evaluator_url: str, namespace: str) -> list[dict[str, Any]]:
    """Every job of the namespace that the evaluator itself lists, asked without the proxy."""
    jobs: list[dict[str, Any]] = []
    page = 1
    while True:
        params = {
            "filter[namespace]": namespace,
            "page": str(page),
            "page_size": str(_PAGE_SIZE),
            "sort": "created_at",
        }
        url = f"{evaluator_url}/v1/evaluation/jobs"
        answer = httpx.get(url, params=params, timeout=30, trust_env=False).raise_for_status().json()
        jobs += answer["data"]
        if page >= answer["pagination"]["total_pages"]:
            return jobs
        page += 1


def remote_scores(evaluator_url: str, job_ids: Iterable[str]) -> dict[str, float]:
    """Return the score of these jobs in the evaluator's own results, read without the proxy."""
    scores: dict[str, float] = {}
    for job_id in job_ids:
        url = f"{evaluator_url}/v1/evaluation/jobs/{job_id}/results"
        answer = httpx.get(url, timeout=30, trust_env=False)
        if answer.is_success:
            metric = answer.json()["tasks"]["qa"]["metrics"]["exact"]
            scores[job_id] = metric["scores"]["string-check"]["value"]
    return scores
