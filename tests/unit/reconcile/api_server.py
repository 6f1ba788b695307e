"""A Kubernetes API in memory, as far as Secrets, ConfigMaps and single objects go; over httpx's seam."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx

from nemo_eval_operator.kube import KubeClient, OverHttpx

CONFIG_MAPS = "/api/v1/namespaces/team-a/configmaps"


class ApiServer:
    """`documents` by path. `requests` is what was asked, as METHOD /path."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.requests: list[str] = []
        self.refusal: httpx.Response | None = None
        self.refuses: Callable[[dict[str, Any]], bool] = lambda _: False
        transport = httpx.MockTransport(self._answer)
        self.client = KubeClient(
            OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=transport))
        )

    def put_secret(self, name: str, *, version: str = "1", **values: str) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        meta: dict[str, Any] = {
            "name": name,
            "namespace": "team-a",
            "uid": f"uid-of-{name}",
            "resourceVersion": version,
        }
        self.documents[f"/api/v1/namespaces/team-a/secrets/{name}"] = {"metadata": meta, "data": data}

    def label_secret(self, name: str, labels: dict[str, str]) -> None:
        self.documents[f"/api/v1/namespaces/team-a/secrets/{name}"]["metadata"]["labels"] = labels

    def put(self, plural: str, name: str, document: dict[str, Any]) -> None:
        path = f"/apis/evaluator.nemo.dev/v1alpha1/namespaces/team-a/{plural}/{name}"
        self.documents[path] = document

    def config_map(self, name: str) -> Any:
        return self.documents[f"{CONFIG_MAPS}/{name}"]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        if request.method == "GET":
            found = self.documents.get(request.url.path)
            return httpx.Response(200, json=found) if found is not None else _status(404, "not found")
        if self.refusal is not None:
            return self.refusal
        document = json.loads(request.content)
        if self.refuses(document):
            return _status(403, "refused by a policy")
        path = f"{request.url.path}/{document['metadata']['name']}"
        if path in self.documents:
            return _status(409, "already exists")
        self.documents[path] = document
        return httpx.Response(201, json=document)


def _status(code: int, message: str) -> httpx.Response:
    return httpx.Response(code, json={"kind": "Status", "message": message})
