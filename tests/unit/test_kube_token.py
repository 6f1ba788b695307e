"""The token for the Kubernetes API: asked for rarely, and anew where it is refused."""

import asyncio

from nemo_eval_operator.kube import Credentials, http_client
from tests.unit.raw_server import OK, Server, serving

REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}"


def tokens(server: Server) -> list[str]:
    lines = [line for head in server.heads for line in head.lower().splitlines()]
    return [line.partition(": ")[2] for line in lines if line.startswith("authorization:")]


async def test_a_token_that_is_refused_is_asked_for_anew_and_the_request_made_again() -> None:
    good = "bearer one"

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(OK if tokens(server)[-1] == good else REFUSED)

    async with serving(answer) as server:
        current = "Bearer one"
        async with http_client(Credentials(server=server.url, authorization=lambda: current)) as http:
            assert (await http.patch("/a", json={"b": 1})).status_code == 200
            good = "bearer two"
            current = "Bearer two"
            assert (await http.patch("/a", json={"b": 2})).status_code == 200
            good = "bearer three"
            assert (await http.patch("/a", json={"b": 3})).status_code == 401
    assert tokens(server) == [f"bearer {token}" for token in ("one", "one", "two", "two", "two")]
    assert server.bodies == [b'{"b":1}', b'{"b":2}', b'{"b":2}', b'{"b":3}', b'{"b":3}']
