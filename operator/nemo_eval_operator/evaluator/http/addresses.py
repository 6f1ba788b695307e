"""Addresses that a connection must not lead to: cloud metadata, the node and the operator itself.

Pure. The address is checked that is about to be connected to, so a name that resolves differently a
moment later changes nothing.
"""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from socket import inet_aton
from typing import Final

__all__ = ["address_of", "refusal_of_address", "refusal_of_host"]

METADATA_NAMES: Final = frozenset(
    {"instance-data", "metadata", "metadata.goog", "metadata.google.internal", "metadata.azure.internal"}
)
"""Names at which clouds serve credentials to every client. They are refused without being resolved."""

METADATA_ADDRESSES: Final = (
    IPv6Network("fd00:ec2::/32"),
    IPv6Network("fd20:ce::254/128"),
    IPv6Network("fd00:42::42/128"),
    IPv4Network("100.100.100.200/32"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.0.0.192/32"),
)
"""Metadata services outside the link-local range: AWS (and the pod identities of EKS), Google and Scaleway by
IPv6, Alibaba, Azure, Oracle."""

NAT64: Final = IPv6Network("64:ff9b::/96")
"""IPv4 addresses through a translator (RFC 6052): the way to IPv4 from a cluster with IPv6 only, so the
IPv4 address decides."""

TRANSITION_NETWORKS: Final = (
    IPv6Network("::/96"),
    IPv6Network("::ffff:0:0:0/96"),
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("2001::/32"),
    IPv6Network("2002::/16"),
)
"""Forms of IPv4 addresses that no evaluator needs, refused whatever they lead to: IPv4-compatible (RFC 4291),
IPv4-translated (SIIT, RFC 2765), local-use NAT64 (RFC 8215; where the IPv4 address is in it depends on the
network), Teredo (RFC 4380) and 6to4 (RFC 3056)."""

ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
"""The 32 bits before the IPv4 address in an ISATAP address (RFC 5214), whatever the 64 bits before them are.
A tunnel may lead to the IPv4 address, so that is judged too."""

NUMERIC: Final = re.compile(r"[0-9a-fA-FxX.]+")
"""Pattern of IPv4 addresses in the forms that resolvers accept, such as 10.1 and 0xa000001."""

THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")
"""The sender's own network (RFC 1122); Linux connects 0.0.0.0 to itself."""


def refusal_of_host(host: str) -> str | None:
    """Return why a host name is refused without resolving it; None where its addresses decide."""
    name = host.rstrip(".").lower()
    if name in METADATA_NAMES:
        return f"{name} is a cloud's metadata service"
    return None


def refusal_of_address(text: str, *, loopback: bool) -> str | None:
    """Return why this address is refused; None where it is allowed. `loopback` allows the own machine."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = _translated(address)
    if address.is_loopback:
        return None if loopback else f"{address} is a loopback address"
    if address.is_link_local:
        return f"{address} is a link-local address"
    if not _is_one_host(address):
        return f"{address} is not the address of one host"
    if any(address in network for network in METADATA_ADDRESSES):
        return f"{address} is a cloud's metadata service"
    if any(address in network for network in TRANSITION_NETWORKS):
        return f"{address} stands for an IPv4 address: use that address itself"
    if isinstance(address, IPv6Address) and (int(address) >> 32) & 0xFFFFFFFF in ISATAP:
        tunnelled = refusal_of_address(str(_last_bits(address)), loopback=loopback)
        return tunnelled and f"{address} is an ISATAP address: {tunnelled}"
    return None


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The address that the host of a URL is, in whatever form it is written; None for a name."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return _from_number(host)
    return _translated(address) if isinstance(address, IPv6Address) else address


def _from_number(host: str) -> IPv4Address | None:
    if not NUMERIC.fullmatch(host):
        return None
    try:
        return IPv4Address(inet_aton(host))
    except OSError:
        return None


def _last_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)


def _translated(address: IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that a NAT64 or IPv4-mapped address leads to, else `address`."""
    if address in NAT64:
        return _last_bits(address)
    return address.ipv4_mapped or address


def _is_one_host(address: IPv4Address | IPv6Address) -> bool:
    """Return whether the address can be one host's: not unspecified, multicast, broadcast or reserved."""
    if isinstance(address, IPv6Address):
        return not (address.is_unspecified or address.is_multicast or address.is_site_local)
    return not (address in THIS_NETWORK or address.is_multicast or address.is_reserved)
