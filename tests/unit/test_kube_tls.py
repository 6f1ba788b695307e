"""What a kubeconfig says of the API server's certificate."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from nemo_eval_operator.kube import Credentials, KubeUnavailable, OverHttpx, http_client, httpx_client
from nemo_eval_operator.kube.api_server import ApiServer
from tests.unit.raw_server import OK, saying, serving

NAME = "kubernetes.test"


@asynccontextmanager
async def api_server(directory: Path) -> AsyncIterator[dict[str, Any]]:
    """A server on loopback whose certificate is for NAME; yields the cluster's part of a kubeconfig."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(NAME).configure_cert(context)
    file = directory / "ca.crt"
    authority.cert_pem.write_to_path(file)
    async with serving(saying(OK), tls=context) as server:
        yield {"server": server.url, "certificate-authority": str(file)}


def credentials(directory: Path, cluster: dict[str, Any]) -> Credentials:
    document = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = directory / "kubeconfig"
    path.write_text(json.dumps(document))
    return Credentials.of_kubeconfig(path)


async def test_a_certificate_is_checked_for_tls_server_name(tmp_path: Path) -> None:
    async with api_server(tmp_path) as cluster:
        named = credentials(tmp_path, {**cluster, "tls-server-name": NAME})
        for http in (http_client(named), OverHttpx(httpx_client(named))):
            async with http:
                assert await ApiServer(http).get("/") == {}


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    async with api_server(tmp_path) as cluster:
        for other in (cluster, {**cluster, "tls-server-name": "other.test"}):
            async with http_client(credentials(tmp_path, other)) as http:
                with pytest.raises(KubeUnavailable, match="certificate"):
                    await ApiServer(http).get("/")
