"""A hub on loopback: it answers what `huggingface_hub` asks to look at a dataset and download its files."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from typing_extensions import override

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    url: str
    repositories: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    """By `namespace/name`: path to content."""
    token: str | None = None
    """The token that requests need, if any."""
    broken: bool = False
    hold: threading.Event | None = None
    """Until it is set, of every download only the first half is sent."""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and token."""

    def answer(self, path: str, token: str | None) -> tuple[int, Mapping[str, str], bytes]:
        if self.broken:
            return 500, {}, b""
        if self.token is not None and token != f"Bearer {self.token}":
            return 401, {"X-Error-Code": "RepoNotFound"}, b""
        for name, files in self.repositories.items():
            if path in {f"/api/datasets/{name}", f"/api/datasets/{name}/revision/{COMMIT}"}:
                siblings = [{"rfilename": file} for file in files]
                return 200, {}, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode()
            if path.startswith(f"/api/datasets/{name}/revision/"):
                return 404, {"X-Error-Code": "RevisionNotFound"}, b""
            file = path.removeprefix(f"/datasets/{name}/resolve/{COMMIT}/")
            if file in files:
                etag = hashlib.sha1(files[file], usedforsecurity=False).hexdigest()
                return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, files[file]
        return 404, {"X-Error-Code": "RepoNotFound"}, b""


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path, token = unquote(urlsplit(self.path).path), self.headers.get("Authorization")
            hub.requests.append((self.command, path, token))
            status, headers, content = hub.answer(path, token)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                half = len(content) // 2
                self.wfile.write(content[:half])
                if hub.hold and "/resolve/" in path:
                    hub.hold.wait(timeout=30)
                self.wfile.write(content[half:])

        @override
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub = FakeHub(url=f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
