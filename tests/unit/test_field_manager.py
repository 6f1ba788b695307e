"""metadata.managedFields name the operator, whatever it writes."""

from __future__ import annotations

import httpx
import pytest

from nemo_eval_operator.kube import OverHttpx
from nemo_eval_operator.kube.api_server import ApiServer


@pytest.mark.parametrize("method", ["PATCH", "POST", "PUT", "GET", "DELETE"])
async def test_every_write_names_its_manager(method: str) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={})

    http = httpx.AsyncClient(base_url="https://kube.test", transport=httpx.MockTransport(answer))
    await ApiServer(OverHttpx(http)).send(method, "/api/v1/x?limit=5")
    manager = requests[0].url.params.get("fieldManager")
    assert manager == ("nemo-eval-operator" if method in {"PATCH", "POST", "PUT"} else None)
    assert method in {"PATCH", "POST", "PUT"} or requests[0].url.params.get("limit") == "5"
