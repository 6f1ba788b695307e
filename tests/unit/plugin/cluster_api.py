"""The plugin's command line against a Kubernetes API in memory: one kubeconfig, and documents by path."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

from nemo_eval_operator.kube import OverHttpx

GROUP_PATH = "/apis/evaluator.nemo.dev/v1alpha1"

NAMESPACE_PARTS = 2
"""Parts of the path of a namespace itself."""

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "team-a"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://kube.test"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}


class ClusterApi:
    """`objects` by plural, namespace and name. `requests` is what was sent, as METHOD /path."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.config_maps: dict[tuple[str, str], dict[str, Any]] = {}
        self.secrets: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.forbidden: set[str] = set()
        """Resources that the user may not read."""
        self.missing_namespaces: set[str] = set()
        self.requests: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.documents: dict[str, dict[str, Any]] = {}
        """Documents of other API groups, by path."""
        self.denied: set[tuple[str, str]] = set()
        """Verbs and resources that a SelfSubjectAccessReview denies."""
        self.skew = timedelta()
        """How far the API server's clock is ahead."""
        self.lost: list[str] = []
        """Methods whose next answer is lost, after the request has had its effect."""
        self.after: Callable[[int], None] = lambda _: None
        """Called after each answer with their number so far, to change objects as time goes on."""

    def put(self, plural: str, manifest: Any) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            json.dumps(manifest if isinstance(manifest, dict) else manifest.to_manifest())
        )
        meta = document["metadata"]
        self.objects[plural, meta["namespace"], meta["name"]] = document
        return document

    def client(self, *_: object) -> OverHttpx:
        transport = httpx.MockTransport(self._answered)
        return OverHttpx(httpx.AsyncClient(base_url="https://kube.test", transport=transport))

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        response = self._answer(request)
        response.headers["Date"] = format_datetime(datetime.now(UTC) + self.skew)
        self.after(len(self.requests))
        if request.method in self.lost:
            self.lost.remove(request.method)
            raise httpx.ReadTimeout("")
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path in self.documents:
            return _ok(self.documents[request.url.path])
        if request.url.path.endswith("/selfsubjectaccessreviews"):
            right = json.loads(request.content)["spec"]["resourceAttributes"]
            denied = (right["verb"], right["resource"]) in self.denied
            return httpx.Response(201, json={"status": {"allowed": not denied}})
        parts = request.url.path.removeprefix(GROUP_PATH).removeprefix("/api/v1").strip("/").split("/")
        if request.url.path.startswith("/api/v1/namespaces/") and len(parts) == NAMESPACE_PARTS:
            if "namespaces" in self.forbidden:
                return _forbidden(request, "namespaces", parts[1])
            return _ok(None if parts[1] in self.missing_namespaces else {"kind": "Namespace"})
        namespace = parts[1] if parts[0] == "namespaces" else None
        plural, *rest = parts[2:] if namespace else parts
        if plural in self.forbidden:
            return _forbidden(request, plural, namespace)
        if request.method == "POST":
            return self._create(plural, namespace or "", json.loads(request.content))
        if plural == "events":
            uid = request.url.params["fieldSelector"].partition("=")[2]
            return _ok({"items": [one for one in self.events if one["involvedObject"]["uid"] == uid]})
        if plural == "secrets":
            return _ok(self.secrets.get((namespace or "", rest[0])))
        if plural == "configmaps":
            return _ok(self.config_maps.get((namespace or "", rest[0])))
        if rest:
            return self._one((plural, namespace or "", rest[0]), request)
        if not plural:
            return _ok({"resources": [{"name": "nemoevaljobs"}]})
        wanted = filter(None, request.url.params.get("labelSelector", "").split(","))
        labels = {tuple(one.split("=")) for one in wanted}
        listed = [
            one
            for key, one in self.objects.items()
            if key[0] == plural
            and namespace in {None, key[1]}
            and labels <= one["metadata"].get("labels", {}).items()
        ]
        return _ok({"metadata": {}, "items": listed})

    def _one(self, key: tuple[str, str, str], request: httpx.Request) -> httpx.Response:
        found = self.objects.get(key)
        if found is not None and request.method == "PATCH":
            patch = json.loads(request.content)
            self.bodies.append(patch)
            meta, expected = found["metadata"], patch.get("metadata", {})
            if any(expected.get(one, "") != meta.get(one, "") for one in ("uid", "resourceVersion")):
                return httpx.Response(409, json={"kind": "Status", "message": "has been modified"})
            _merge(found, patch)
            meta["resourceVersion"] = f"{int(meta.get('resourceVersion') or 0) + 1}"
        return _ok(found)

    def _create(self, plural: str, namespace: str, manifest: dict[str, Any]) -> httpx.Response:
        meta = manifest["metadata"]
        meta.setdefault("name", f"{meta.get('generateName', '')}x7k2p")
        if (plural, namespace, meta["name"]) in self.objects:
            return httpx.Response(409, json={"kind": "Status", "message": f"{meta['name']} already exists"})
        manifest["metadata"] = {
            "uid": f"uid-of-{meta['name']}",
            "generation": 1,
            **meta,
            "namespace": namespace,
        }
        self.objects[plural, namespace, meta["name"]] = manifest
        return httpx.Response(201, json=manifest)


def write_kubeconfig(directory: Path) -> Path:
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(KUBECONFIG))
    return path


def _ok(document: Any) -> httpx.Response:
    if document is None:
        return httpx.Response(404, json={"kind": "Status", "message": "not found"})
    return httpx.Response(200, json=document)


def _forbidden(request: httpx.Request, plural: str, namespace: str | None) -> httpx.Response:
    group = "" if request.url.path.startswith("/api/v1") else "evaluator.nemo.dev"
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    verb = {"GET": "get", "POST": "create", "PATCH": "patch"}[request.method]
    cannot = f'User "jane" cannot {verb} resource "{plural}" in API group "{group}"'
    message = f"{plural}.{group} is forbidden: {cannot}{where}"
    return httpx.Response(403, json={"kind": "Status", "message": message})


def _merge(node: dict[str, Any], patch: dict[str, Any]) -> None:
    for name, value in patch.items():
        if isinstance(value, dict):
            _merge(node.setdefault(name, {}), value)
        else:
            node[name] = value
