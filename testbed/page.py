"""A page in headless Chromium, by its DevTools protocol: what a person sees, and what the console says."""

import asyncio
import base64
import itertools
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from testbed.browser import Chromium
from testbed.processes import ProcessError

__all__ = ["Page", "open_browser"]

_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
    "--remote-debugging-port=0",
)
_TIMEOUT_SECONDS: Final = 60

Message = Mapping[str, Any]


class Page:
    """One tab. `problems` are errors of the console and of the page, `requests` the addresses it loaded."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._loaded = False

    async def attach(self) -> None:
        """Open the tab."""
        target = await self.call("Target.createTarget", url="about:blank")
        found = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")

    async def show(
        self, file: Path, *, width: int, height: int = 1000, scheme: str = "light", media: str = "screen"
    ) -> None:
        """Load a file in a window of this width, in the colour scheme and medium, and wait for it."""
        self.problems, self.requests, self._loaded = [], [], False
        window = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **window)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", media=media, features=features)
        await self.call("Page.navigate", url=file.as_uri())
        while not self._loaded:
            self._take(await self._received())

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"])
        return found["result"].get("value")

    async def screenshot(self) -> bytes:
        """Return the window as a PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])

    async def pdf(self) -> bytes:
        """Return the page as printed on A4."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": False}
        return base64.b64decode((await self.call("Page.printToPDF", **paper))["data"])

    async def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol; returns its result."""
        number = next(self._numbers)
        session = {} if self._session is None else {"sessionId": self._session}
        await self._socket.send_json({"id": number, "method": method, "params": parameters, **session})
        while True:
            message = await self._received()
            if message.get("id") == number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            self._take(message)

    async def _received(self) -> Message:
        received = await self._socket.receive_str(timeout=_TIMEOUT_SECONDS)
        message: Message = json.loads(received)
        return message

    def _take(self, message: Message) -> None:
        details = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self.requests.append(details["request"]["url"])
            case "Runtime.exceptionThrown":
                self.problems.append(str(details["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.problems.append(str(details["args"]))
            case "Log.entryAdded":
                self.problems.append(details["entry"]["text"])
            case _:
                pass


@asynccontextmanager
async def open_browser(browser: Chromium, profile: Path) -> AsyncIterator[Page]:
    """Yield a tab of a browser, whose files are below `profile`, which has to be empty."""
    process = await asyncio.create_subprocess_exec(
        browser.path,
        *_FLAGS,
        f"--user-data-dir={profile}",
        env=os.environ | browser.environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        address = await _address(process, profile / "DevToolsActivePort")
        async with aiohttp.ClientSession() as http, http.ws_connect(address, max_msg_size=0) as socket:
            page = Page(socket)
            await page.attach()
            yield page
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _address(process: asyncio.subprocess.Process, file: Path) -> str:
    """Return where the protocol is spoken, once the browser has written it down."""
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        while process.returncode is None:
            if (address := _written(file)) is not None:
                return address
            await asyncio.sleep(0.05)
    raise ProcessError(f"Chromium ended with {process.returncode}")


def _written(file: Path) -> str | None:
    # Written in two steps: the port, and then the path.
    lines = file.read_text().splitlines() if file.exists() else []
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) > 1 else None
