"""The operator's own Deployment, as far as ending its pods and reporting its health need it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from nemo_eval_operator.json_types import JsonObject

from .api_server import MERGE_PATCH, ApiServer, read, segment, shown_path
from .errors import KubeUnavailable, ObjectGone
from .http import KubeHttp

__all__ = ["Deployment", "DeploymentClient"]

APPS: Final = "/apis/apps/v1"

DEPLOYMENTS: Final = f"{APPS}/namespaces"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class _Meta(_Part):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = Field(default_factory=dict)


class _Spec(_Part):
    replicas: int = 1


class _Status(_Part):
    available_replicas: int = 0


class Deployment(_Part):
    """The part of an apps/v1 Deployment that shows whether its pods run, and of which version they are."""

    metadata: _Meta = _Meta()
    spec: _Spec = _Spec()
    status: _Status = _Status()


class _Deployments(_Part):
    items: list[Deployment] = Field(default_factory=list)


class DeploymentClient:
    """Lists and scales Deployments, and names their pods. Every method raises KubeError and nothing else."""

    def __init__(self, http: KubeHttp) -> None:
        self._server = ApiServer(http)

    async def scale(self, namespace: str, name: str, replicas: int) -> str | None:
        """Set how many pods it has; returns the label selector of its pods, None where it is gone."""
        path = f"{DEPLOYMENTS}/{segment(namespace)}/deployments/{segment(name)}/scale"
        body: JsonObject = {"spec": {"replicas": replicas}}
        try:
            scale = read(await self._server.send("PATCH", path, body=body, headers=MERGE_PATCH))
        except ObjectGone:
            return None
        match scale:
            case {"status": {"selector": str(selector)}} if selector:
                return selector
            case _:
                raise KubeUnavailable(f"{path} answered something other than a Scale")

    async def labelled(self, selector: str, namespace: str | None) -> list[Deployment]:
        """Return the Deployments of the namespace (None: of all) whose labels match."""
        scope = APPS if namespace is None else f"{DEPLOYMENTS}/{segment(namespace)}"
        path = f"{scope}/deployments?labelSelector={quote(selector, safe='')}"
        try:
            return _Deployments.model_validate(await self._server.get(path) or {}).items
        except ValidationError as error:
            raise KubeUnavailable(f"{shown_path(path)} answered something other than Deployments") from error

    async def pods(self, namespace: str, selector: str) -> list[str]:
        """Names of the pods that have not ended yet, those that are being ended included."""
        path = f"/api/v1/namespaces/{segment(namespace)}/pods?labelSelector={quote(selector, safe='')}"
        listed = await self._server.get(path) or {}
        items = listed.get("items")
        return [
            str(name)
            for item in (items if isinstance(items, list) else ())
            if isinstance(item, dict) and (name := _name_of_live_pod(item))
        ]


def _name_of_live_pod(pod: JsonObject) -> str | None:
    match pod:
        case {"status": {"phase": "Succeeded" | "Failed"}}:
            return None
        case {"metadata": {"name": str(name)}}:
            return name
        case _:
            return None
