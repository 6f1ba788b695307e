"""The operator's own Deployment, as far as ending its pods needs it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from nemo_eval_operator.json_types import JsonObject

from .api_server import MERGE_PATCH, ApiServer, read, segment
from .errors import KubeUnavailable, ObjectGone
from .http import KubeHttp

__all__ = ["DeploymentClient"]

DEPLOYMENTS: Final = "/apis/apps/v1/namespaces"


class DeploymentClient:
    """Scales Deployments and names their pods. Every method raises KubeError and nothing else."""

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
