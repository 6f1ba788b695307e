"""The transport to a server, through the proxy that the environment names for it."""

from __future__ import annotations

import ssl
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from .over_aiohttp import AiohttpTransport
from .sending import KEEPALIVE_SECONDS

__all__ = ["transport_to", "uses_proxy"]

PLAIN_PROXY: Final = "http://"
"""aiohttp knows no SOCKS proxy, and would check an https proxy's certificate as it does the server's."""


def transport_to(server: str, context: ssl.SSLContext, *, connections: int) -> httpx.AsyncBaseTransport:
    """Return a transport with `connections` at most: httpx's own for a proxy that aiohttp cannot use.

    ConnectError and ConnectTimeout mean, as in httpx, that nothing of the request was sent.
    """
    proxy = _proxy_to(server)
    if proxy is None or proxy.lower().startswith(PLAIN_PROXY):
        return AiohttpTransport(context, connections, proxy=proxy)
    limits = httpx.Limits(max_connections=connections, keepalive_expiry=KEEPALIVE_SECONDS)
    return httpx.AsyncHTTPTransport(verify=context, proxy=proxy, limits=limits)


def uses_proxy(server: str) -> bool:
    """Return whether the environment names a proxy for requests to `server`."""
    return _proxy_to(server) is not None


def _proxy_to(server: str) -> str | None:
    url, proxies = urlsplit(server), getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(url.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
