"""A proxy on loopback that can hold what its clients send, so that a request arrives in part."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tests.small_buffers import READ_BYTES, listen_with_small_buffers


class HoldingProxy:
    """Leads from `port` on loopback to another port there, for as long as its `with` block lasts."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = listen_with_small_buffers()
        self.port = int(self._listener.getsockname()[1])
        self.hold_next: re.Pattern[bytes] | None = None
        """How a request begins: the next one of these is held, with all that follows on its connection."""
        self.is_held = threading.Event()
        self.ended = threading.Event()
        """Set when the client's end of the held connection was reached, after `release`."""
        self._released = threading.Event()
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []

    def release(self) -> None:
        """Pass on what was held, and what follows."""
        self._released.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                try:
                    there = socket.create_connection(("127.0.0.1", self._target_port))
                except OSError:
                    # A target that is away now may be there for the next client.
                    _shut(client)
                else:
                    self._connect(client, there)

    def _connect(self, client: socket.socket, there: socket.socket) -> None:
        self._sockets.append(there)
        for source, target in ((client, there), (there, client)):
            thread = threading.Thread(target=self._copy, args=(source, target))
            self._threads.append(thread)
            thread.start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        held = False
        with contextlib.suppress(OSError):
            while data := source.recv(READ_BYTES):
                if self.hold_next is not None and self.hold_next.match(data):
                    held, self.hold_next = True, None
                    self.is_held.set()
                    self._released.wait()
                target.sendall(data)
        _shut(target)
        if held:
            self.ended.set()

    def __enter__(self) -> Self:
        acceptor = threading.Thread(target=self._accept)
        self._threads.append(acceptor)
        acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _shut(self._listener)
        self._threads[0].join()
        for each in self._sockets:
            _shut(each)
        self.release()
        for thread in self._threads:
            thread.join()
        with ExitStack() as stack:
            for each in self._sockets:
                stack.callback(each.close)


def _shut(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
