"""A Kubernetes API in memory with one object: JSON patches under their preconditions; takes all else."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import httpx

from nemo_eval_operator.kube import KubeClient, OverHttpx

PRECONDITIONS = ("/metadata/uid", "/metadata/resourceVersion")


class ObjectsApi:
    """`manifest` None: the object is gone. `events` are the reasons of those that were posted."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.manifest: dict[str, Any] | None = deepcopy(manifest)
        self.manifest["metadata"]["resourceVersion"] = "1"
        self.events: list[str] = []
        self.failed: list[str] = []
        self.refuse: Callable[[httpx.Request], bool] = lambda _: False
        """Which requests fail validation."""
        self._failures_left = 0
        transport = httpx.MockTransport(self._answer)
        self.client = KubeClient(
            OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=transport))
        )

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Write the object as another client does."""
        assert self.manifest is not None
        change(self.manifest)
        meta = self.manifest["metadata"]
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)

    def fail_next(self, requests: int) -> None:
        """The server answers so many requests with 503, and names them in `failed`."""
        self._failures_left = requests

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self._failures_left:
            self._failures_left -= 1
            self.failed.append(f"{request.method} {request.url.path}")
            return httpx.Response(503, json={"kind": "Status", "message": "overloaded"})
        if self.refuse(request):
            causes = {"causes": [{"field": "metadata.annotations", "message": "Too long"}]}
            return httpx.Response(422, json={"kind": "Status", "message": "Too long", "details": causes})
        if request.url.path.endswith("/events"):
            self.events.append(json.loads(request.content)["reason"])
            return httpx.Response(201, json={})
        if request.url.path.endswith("/configmaps"):
            return httpx.Response(201, json={})
        if self.manifest is None or not self._is_about_it(request.url.path):
            return httpx.Response(404, json={"kind": "Status", "message": "not found"})
        if request.method == "PATCH":
            return self._patch(self.manifest, json.loads(request.content))
        return httpx.Response(200, json=self.manifest)

    def _is_about_it(self, path: str) -> bool:
        """Whichever of the operator's kinds it is."""
        return (
            self.manifest is not None
            and f"/{self.manifest['metadata']['name']}" in path.partition("/nemo")[2]
        )

    def _patch(self, manifest: dict[str, Any], operations: list[dict[str, Any]]) -> httpx.Response:
        meta = manifest["metadata"]
        based_on = {operation["path"]: operation["value"] for operation in operations[: len(PRECONDITIONS)]}
        if based_on != {path: meta[path.rpartition("/")[2]] for path in PRECONDITIONS}:
            return httpx.Response(409, json={"kind": "Status", "message": "the object has been modified"})
        for operation in operations[len(PRECONDITIONS) :]:
            *parents, last = operation["path"].strip("/").split("/")
            node = manifest
            for parent in parents:
                node = node[parent]
            node[last] = operation["value"]
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)
        if "deletionTimestamp" in meta and not meta["finalizers"]:
            self.manifest = None
        return httpx.Response(200, json=manifest)
