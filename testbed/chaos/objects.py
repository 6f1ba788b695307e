"""Whoever uses the cluster while everything breaks: creates, changes and lists objects past the proxies."""

import ssl
from pathlib import Path
from typing import Any, Final

import httpx

from nemo_eval_operator.kube import Credentials
from testbed.chaos.workload import Act
from testbed.faults import Upstream

__all__ = ["Objects", "remote_jobs"]

_API: Final = "/apis/evaluator.nemo.dev/v1alpha1/namespaces"
_MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}
_PAGE_SIZE: Final = 500


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
        self._http.post(f"{self._path}/{plural}", json=manifest).raise_for_status()

    def act(self, act: Act, name: str) -> None:
        """Do to a job what its kind wants; one that is gone already is left in peace."""
        path = f"{self._path}/nemoevaljobs/{name}"
        match act:
            case Act.DELETE:
                answer = self._http.delete(path)
            case Act.CANCEL:
                answer = self._http.patch(path, json={"spec": {"cancel": True}}, headers=_MERGE_PATCH)
            case Act.RESUME:
                answer = self._http.patch(path, json={"spec": {"suspend": False}}, headers=_MERGE_PATCH)
            case Act.NOTHING:
                return
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()

    def jobs(self) -> dict[str, dict[str, Any]]:
        """All NemoEvalJobs by name."""
        return self._list(f"{self._path}/nemoevaljobs")

    def benchmarks(self) -> dict[str, dict[str, Any]]:
        return self._list(f"{self._path}/nemobenchmarks")

    def config_maps(self) -> dict[str, dict[str, Any]]:
        return self._list(f"{self._core}/configmaps")

    def _list(self, path: str) -> dict[str, dict[str, Any]]:
        answer = self._http.get(path).raise_for_status().json()
        return {item["metadata"]["name"]: item for item in answer["items"]}


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
