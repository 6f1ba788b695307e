"""A server that stops reading in the middle of a request, and counts what comes when it reads on."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading

from tests.small_buffers import listen_with_small_buffers

TUNNEL_OPENED = b"HTTP/1.1 200 OK\r\n\r\n"


class UnreadServer:
    """Accepts one connection, and reads only the beginning of its request before `read_rest`.

    `answer` is sent when that was read. `is_tunnel`: it is a proxy that has the server behind it.
    """

    def __init__(self, tls: ssl.SSLContext | None, *, answer: bytes = b"", is_tunnel: bool = False) -> None:
        self._listener = listen_with_small_buffers()
        self._tls = tls
        self._answer = answer
        self._is_tunnel = is_tunnel
        self._resumed = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._received = 0
        scheme, port = "https" if tls and not is_tunnel else "http", self._listener.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.asked = threading.Event()
        self.client_port = 0
        self._thread.start()

    def read_rest(self) -> int:
        """Read to the end of the connection and return how many bytes of the request came, as encrypted."""
        self._resumed.set()
        with contextlib.suppress(OSError):
            # Where no connection came.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(20)
        assert not self._thread.is_alive(), "the connection does not end"
        return self._received

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self._listener:
            connection, (_, self.client_port) = self._listener.accept()
            if self._is_tunnel:
                while b"\r\n\r\n" not in connection.recv(65536):
                    pass
                connection.sendall(TUNNEL_OPENED)
            with connection:
                self._read(connection)

    def _read(self, connection: socket.socket) -> None:
        talking = connection
        if self._tls is not None:
            talking = self._tls.wrap_socket(connection, server_side=True)
        # Below TLS, which would read whole records.
        raw = connection if talking is connection else socket.socket(fileno=_copy(talking))
        with raw, talking:
            self._received = len(raw.recv(100))
            if self._answer:
                talking.sendall(self._answer)
            self.asked.set()
            self._resumed.wait()
            while data := raw.recv(65536):
                self._received += len(data)


def _copy(each: socket.socket) -> int:
    return os.dup(each.fileno())
