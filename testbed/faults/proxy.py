"""The proxy: HTTP/1.1 on loopback in front of one server, in a thread with an event loop of its own.

An answer of known length is taken whole and then passed on; any other is a stream (a watch, a chunked
list) and passed on piece by piece as it comes.
"""

import asyncio
import base64
import random
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from types import TracebackType
from typing import Final, Self

import h11
import httpx

from testbed.faults.exchange import Exchange, Moment, Observer
from testbed.faults.rules import Fault, Rule, Rules
from testbed.faults.upstream import Upstream

__all__ = ["FaultProxy"]

_HOP_BY_HOP: Final = {b"connection", b"keep-alive", b"transfer-encoding", b"host"}
_GARBAGE: Final = b'{"surprise": ['
_SLOW_PIECES: Final = 20
_READ_BYTES: Final = 65536
_BEFORE: Final = {Fault.DROP_BEFORE, Fault.RESET_BEFORE}
_AFTER: Final = {Fault.DROP_AFTER, Fault.RESET_AFTER}
_RESETS: Final = {Fault.RESET_BEFORE, Fault.RESET_AFTER}
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # struct linger: on, no time to linger


class _Broken(Exception):
    """The connection to the client ends here, without more of an answer."""


class FaultProxy:
    """Forwards to `upstream` while its `with` block lasts. `rules` may be replaced at any time."""

    def __init__(self, upstream: str | Upstream, *, port: int = 0, seed: int | None = None) -> None:
        self._upstream = Upstream(upstream) if isinstance(upstream, str) else upstream
        self._dice = random.Random(seed)  # noqa: S311 - guards nothing
        self._socket = socket.create_server(("127.0.0.1", port))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._connections: set[asyncio.Task[None]] = set()
        self._released = asyncio.Event()
        self._stopping = asyncio.Event()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.observers: list[Observer] = []
        self.instead: Callable[[Exchange], tuple[int, bytes] | None] = lambda _: None
        """Returns status code and body of an answer in upstream's place, or None."""
        self.struck = 0
        self.rules = ()

    @property
    def rules(self) -> Sequence[Rule]:
        """What strikes from now on; `struck` counts how often something did."""
        return self._rule_list

    @rules.setter
    def rules(self, rules: Sequence[Rule]) -> None:
        self._rule_list = tuple(rules)
        self._rules = Rules(rules, self._dice)

    def release(self) -> None:
        """Let go of what `hold-after` keeps back, now and in future: those connections break."""
        self._loop.call_soon_threadsafe(self._released.set)

    def disable(self) -> None:
        """Break every connection that is open, watches among them; new ones are served."""
        self._loop.call_soon_threadsafe(self._sever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with self._upstream.client() as self._client:
            server = await asyncio.start_server(self._accept, sock=self._socket)
            await self._stopping.wait()
            server.close()
            self._sever()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _sever(self) -> None:
        for connection in self._connections:
            connection.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio calls us in one
        self._connections.add(task)
        client = _ClientSide(reader, writer)
        try:
            while await self._exchange(client):
                pass
        except (_Broken, OSError, h11.ProtocolError, httpx.HTTPError, asyncio.CancelledError):
            # Whatever broke on either side: to the other it looks like a network that is gone.
            pass
        finally:
            self._connections.discard(task)
            client.close()

    async def _exchange(self, client: "_ClientSide") -> bool:
        """Pass on one request and its answer; False where the client wants no more."""
        if (received := await client.request()) is None:
            return False
        request, body = received
        path, _, query = request.target.decode().partition("?")
        method = request.method.decode()
        user = _user_in(request.headers)
        exchange = Exchange(method, path, query, body, user=user, rule=self._rules.strike(method, path))
        self.struck += exchange.rule is not None
        self._observe(exchange, Moment.ARRIVED)
        if not await self._answer_ourselves(client, exchange):
            await self._forward(client, exchange, request)
        self._observe(exchange, Moment.FORWARDED)
        return client.next_cycle()

    async def _answer_ourselves(self, client: "_ClientSide", exchange: Exchange) -> bool:
        """Do what a fault demands before upstream is reached; True where upstream never will be."""
        match exchange.rule:
            case Rule(fault=fault) if fault in _BEFORE:
                client.break_off(reset=fault in _RESETS)
            case Rule(fault=Fault.DELAY, amount=seconds):
                await asyncio.sleep(seconds)
            case Rule(fault=Fault.ERROR_BEFORE, amount=code):
                await client.respond(int(code), [], b'{"detail": "no"}')
                return True
            case Rule(fault=Fault.BUSY, amount=seconds):
                headers = [(b"Retry-After", f"{seconds:.0f}".encode())]
                await client.respond(429, headers, b'{"detail": "too many requests"}')
                return True
            case _:
                pass
        if (answer := self.instead(exchange)) is not None:
            await client.respond(answer[0], [], answer[1])
            return True
        return False

    async def _forward(self, client: "_ClientSide", exchange: Exchange, request: h11.Request) -> None:
        headers = [(name, value) for name, value in request.headers if name not in _HOP_BY_HOP]
        if self._upstream.authorization and not any(name == b"authorization" for name, _ in headers):
            headers.append((b"authorization", self._upstream.authorization.encode()))
        url = self._upstream.url.rstrip("/") + request.target.decode()
        # Not build_request(): what the client did not send, such as Accept-Encoding, is not ours to add.
        passed_on = httpx.Request(exchange.method, url, headers=headers, content=exchange.body)
        sending = asyncio.ensure_future(self._client.send(passed_on, stream=True))
        match exchange.rule:
            case Rule(fault=Fault.GATEWAY_TIMEOUT, amount=seconds):
                given_up = not (await asyncio.wait({sending}, timeout=seconds))[0]
            case _:
                given_up = False
        if given_up:
            await client.respond(504, [(b"Connection", b"close")], b"upstream did not answer in time")
        answer = await sending
        try:
            exchange.status = answer.status_code
            if "content-length" in answer.headers:
                exchange.answer = b"".join([piece async for piece in answer.aiter_raw()])
            self._observe(exchange, Moment.ANSWERED)
            if not given_up:
                await self._pass_on(client, exchange, answer)
        finally:
            await answer.aclose()

    async def _pass_on(self, client: "_ClientSide", exchange: Exchange, answer: httpx.Response) -> None:
        headers = [(name, value) for name, value in answer.headers.raw if name.lower() not in _HOP_BY_HOP]
        match exchange.rule:
            case Rule(fault=fault) if fault in _AFTER:
                client.break_off(reset=fault in _RESETS)
            case Rule(fault=Fault.HOLD_AFTER):
                await self._released.wait()
                client.break_off(reset=False)
            case Rule(fault=Fault.ERROR_AFTER, amount=code):
                await client.respond(int(code), [], b"upstream went away")
            case Rule(fault=Fault.GARBAGE):
                await client.respond(answer.status_code, [], _GARBAGE)
            case Rule(fault=Fault.SLOW, amount=seconds) if exchange.answer is not None:
                await client.stream(answer.status_code, headers, _trickle(exchange.answer, seconds))
            case _ if exchange.answer is not None:
                await client.respond(answer.status_code, headers, exchange.answer)
            case _:
                await client.stream(answer.status_code, headers, answer.aiter_raw())

    def _observe(self, exchange: Exchange, moment: Moment) -> None:
        # All of them: one that counts must not miss what another one breaks.
        wishes = [observer(exchange, moment) for observer in self.observers]
        if any(wishes):
            raise _Broken


def _user_in(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the name in a header of HTTP Basic authentication; empty where there is none."""
    value = next((value for name, value in headers if name == b"authorization"), b"")
    scheme, _, credentials = value.partition(b" ")
    return base64.b64decode(credentials).decode().partition(":")[0] if scheme == b"Basic" else ""


class _ClientSide:
    """The connection to a client of the proxy, as a server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def request(self) -> tuple[h11.Request, bytes] | None:
        """The next request with its body; None where the client has closed."""
        event = await self._event()
        if not isinstance(event, h11.Request):
            return None
        body = bytearray()
        while isinstance(data := await self._event(), h11.Data):
            body += data.data
        return event, bytes(body)

    async def respond(self, code: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        length = [] if any(name.lower() == b"content-length" for name, _ in headers) else [_length(body)]
        await self._send(h11.Response(status_code=code, headers=[*headers, *length]))
        if body:
            await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def stream(
        self, code: int, headers: Sequence[tuple[bytes, bytes]], body: AsyncIterator[bytes]
    ) -> None:
        """Pass on what comes, when it comes, until it ends or the client is gone."""
        await self._send(h11.Response(status_code=code, headers=[*headers]))
        pump = asyncio.create_task(self._pump(body))
        closed = asyncio.create_task(self._reader.read(_READ_BYTES))
        try:
            await asyncio.wait({pump, closed}, return_when=asyncio.FIRST_COMPLETED)
            if closed.done() and not pump.done():
                raise _Broken
            await pump
        finally:
            for task in (pump, closed):
                task.cancel()
            await asyncio.gather(pump, closed, return_exceptions=True)
        if not closed.cancelled() and closed.exception() is None:
            self._http.receive_data(closed.result())

    def break_off(self, *, reset: bool) -> None:
        """End the connection in the middle of the exchange. Raises _Broken, always."""
        if reset and (connection := self._writer.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        raise _Broken

    def next_cycle(self) -> bool:
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def close(self) -> None:
        self._writer.close()

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_READ_BYTES))
        return event

    async def _pump(self, body: AsyncIterator[bytes]) -> None:
        async for piece in body:
            await self._send(h11.Data(data=piece))
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            self._writer.write(data)
            await self._writer.drain()


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"Content-Length", str(len(body)).encode()


async def _trickle(body: bytes, seconds: float) -> AsyncIterator[bytes]:
    size = max(1, -(-len(body) // _SLOW_PIECES))
    starts = range(0, len(body), size)
    for start in starts:
        await asyncio.sleep(seconds / len(starts))
        yield body[start : start + size]
