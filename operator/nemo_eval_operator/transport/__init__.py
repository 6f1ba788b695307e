"""HTTP over aiohttp's connections, of which a request that was given up uses nothing any more."""

from __future__ import annotations

from .by_environment import transport_to, uses_proxy
from .over_aiohttp import AiohttpTransport
from .sending import KEEPALIVE_SECONDS

__all__ = ["KEEPALIVE_SECONDS", "AiohttpTransport", "transport_to", "uses_proxy"]
