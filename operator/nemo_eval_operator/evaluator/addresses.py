"""Where a connection that users may write must not lead: clouds' metadata, the node, ourselves.

Pure. It is asked about the address that is about to be connected to, so a name that resolves
otherwise a moment later changes nothing.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final

__all__ = ["refusal_of_address", "refusal_of_host"]

METADATA_NAMES: Final = frozenset(
    {"instance-data", "metadata", "metadata.goog", "metadata.google.internal", "metadata.azure.internal"}
)
"""Names by which clouds serve credentials to whoever asks. They are refused unresolved."""

METADATA_ADDRESSES: Final = (
    IPv6Network("fd00:ec2::/32"),
    IPv6Network("fd20:ce::254/128"),
    IPv4Network("100.100.100.200/32"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.0.0.192/32"),
)
"""Metadata services outside the link-local range: AWS (EKS hands out pod identities beside it) and Google by
IPv6, Alibaba, Azure, Oracle."""

NAT64: Final = IPv6Network("64:ff9b::/96")
"""IPv4 addresses by way of a translator (RFC 6052)."""


def refusal_of_host(host: str) -> str | None:
    """Why a name is not even resolved; None where its addresses decide."""
    name = host.rstrip(".").lower()
    if name in METADATA_NAMES:
        return f"{name} is a cloud's metadata service"
    return None


def refusal_of_address(text: str, *, loopback: bool) -> str | None:
    """Why this address is not connected to; None where it may be. `loopback`: our own machine may be."""
    address = _meant(ip_address(text.partition("%")[0]))
    if address.is_loopback:
        return None if loopback else f"{address} is a loopback address"
    if address.is_link_local:
        return f"{address} is a link-local address"
    if address.is_unspecified or address.is_multicast or int(address) == 2**32 - 1:
        return f"{address} is no address of one host"
    if any(address in network for network in METADATA_ADDRESSES):
        return f"{address} is a cloud's metadata service"
    return None


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that some IPv6 addresses stand for."""
    if not isinstance(address, IPv6Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
