"""The token for the Kubernetes API: read rarely, and read again where it is refused."""

import asyncio
from collections.abc import Callable

import pytest

from nemo_eval_operator.kube import Credentials, KubeForbidden, KubeHttp, OverHttpx, http_client, httpx_client
from nemo_eval_operator.kube.api_server import ApiServer
from tests.unit.raw_server import OK, Server, serving

REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}"


def tokens(server: Server) -> list[str]:
    lines = [line for head in server.heads for line in head.lower().splitlines()]
    return [line.partition(": ")[2] for line in lines if line.startswith("authorization:")]


def behind_a_proxy(credentials: Credentials) -> OverHttpx:
    return OverHttpx(httpx_client(credentials))


@pytest.mark.parametrize("opened", [http_client, behind_a_proxy])
async def test_a_token_that_is_refused_is_read_again_and_the_request_repeated(
    opened: Callable[[Credentials], KubeHttp],
) -> None:
    good = "bearer one"

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(OK if tokens(server)[-1] == good else REFUSED)

    async with serving(answer) as server:
        current = "Bearer one"
        async with opened(Credentials(server=server.url, authorization=lambda: current)) as http:
            api = ApiServer(http)
            await api.send("PATCH", "/a", body={"b": 1})
            good = "bearer two"
            current = "Bearer two"
            await api.send("PATCH", "/a", body={"b": 2})
            good = "bearer three"
            with pytest.raises(KubeForbidden, match="PATCH /a answered 401"):
                await api.send("PATCH", "/a", body={"b": 3})
    assert tokens(server) == [f"bearer {token}" for token in ("one", "one", "two", "two", "two")]
    assert server.bodies == [b'{"b":1}', b'{"b":2}', b'{"b":2}', b'{"b":3}', b'{"b":3}']
