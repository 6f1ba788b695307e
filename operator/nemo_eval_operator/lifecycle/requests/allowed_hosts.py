"""The administrator's allow-list of hosts that a spec may have the evaluator call.

A target's or judge's URL is called by the evaluator, with the credentials that the spec names. With an
allow-list, each URL below `config` and `target` must name a host that one of its patterns matches, and a URL
that two parsers could read differently is refused. Names of models and datasets that the evaluator resolves
itself (`model: NAMESPACE/NAME`, `hf://`, `nds://`, `file://`) hold no host and are left to its own settings.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv6Address
from typing import ClassVar, Final

from pydantic import JsonValue

from nemo_eval_operator.json_types import JsonObject
from nemo_eval_operator.reasons import Reason

from .target_paths import Step, UnusableSpec, parse, shown

__all__ = ["AllowedHosts", "HostNotAllowed", "check_hosts"]

_PATTERN: Final = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""Allowed hosts: `host.example.com`, `*.example.com` for all hosts below it, or an IPv4 address."""

_URL: Final = re.compile(
    r"https?://(?P<host>[a-z0-9]([-a-z0-9._]*[a-z0-9])?\.?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
    r"([/?#][!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z{|}~]*)?",
    re.IGNORECASE,
)
"""A URL that every parser reads alike: no user, no backslash, nothing but ASCII."""

MAX_URL: Final = 8192
"""Characters of a URL; a longer one is not compared."""

_SCHEME: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.\-]{0,20})://", re.IGNORECASE)
_HTTP: Final = re.compile(r"https?:", re.IGNORECASE)
_ENDS_A_URL: Final = re.compile(r"[\s,;\"'<>|]")

_IGNORED_BY_PARSERS: Final = dict.fromkeys([*range(0x21), 0x7F])
"""Spaces and control characters, which some parsers strip from a URL."""

_WITHOUT_HOST: Final = frozenset({"file", "hf", "nds"})
"""Schemes whose place the evaluator's own settings decide."""

_INLINE: Final = re.compile(r"data:[a-z]+/[-+.a-z]+;base64,[A-Za-z0-9+/]*={0,2}")
"""A data: URL that every parser reads alike; it is the data itself."""

_NAMES_A_URL: Final = re.compile(r"(ur[li]|endpoint|host|hostname)s?$", re.IGNORECASE)
_HOLDS_TEXT: Final = re.compile(r"(content|prompt|template|description|instructions?)$", re.IGNORECASE)
"""Prompts may contain a URL; only a text that is one as a whole counts."""

_DATA: Final = frozenset(
    {
        ("target", "rows"),
        ("config", "custom_fields"),
        ("target", "custom_fields"),
        ("target", "model", "custom_fields"),
    }
)
"""The user's own data, which the evaluator does not call."""

MAX_NAMED: Final = 5
"""Patterns of the allow-list that a message shows."""


class HostNotAllowed(UnusableSpec):
    """A URL of the spec names a host that is not allowed; the message says where and what to do."""

    reason: ClassVar[Reason] = Reason.HOST_NOT_ALLOWED


class AllowedHosts:
    """The patterns of NEMO_ALLOWED_MODEL_HOSTS; without any, all hosts are allowed."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        """Raises ValueError for what is not a pattern."""
        self.patterns = tuple(pattern.strip().lower().strip("[]") for pattern in patterns)
        for pattern in self.patterns:
            if not _PATTERN.fullmatch(pattern) and not _is_ipv6(pattern):
                raise ValueError(
                    f"{pattern!r} is not a host pattern: write a host, *.DOMAIN or an address, without a port"
                )

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def allow(self, host: str) -> bool:
        """Return whether `host` is one of the patterns or below one that begins with `*.`."""
        name = host.lower().strip("[]").removesuffix(".")
        return any(
            name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern
            for pattern in self.patterns
        )


def check_hosts(parts: JsonObject, allowed: AllowedHosts, *, secret_paths: Collection[str] = ()) -> None:
    """Raise HostNotAllowed for the first URL in `parts` (of `config` and `target`) that is not allowed.

    `secret_paths` are the paths that valuesFrom sets: what is there does not appear in the message.
    """
    if not allowed:
        return
    hidden = {tuple(parse(path)) for path in secret_paths}
    for place, key, text in _texts(parts, ()):
        for url in _urls(key, text):
            host = _host(url, bare=bool(_NAMES_A_URL.search(key)))
            if host is None or not allowed.allow(host):
                raise HostNotAllowed(_message(place, host, allowed, hidden=place in hidden))


def _is_ipv6(pattern: str) -> bool:
    try:
        IPv6Address(pattern)
    except ValueError:
        return False
    return True


def _texts(node: JsonValue, place: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], str, str]]:
    """All texts below `node` with their paths and the last key on the way; without the user's data."""
    pending: list[tuple[tuple[Step, ...], str, JsonValue]] = [(place, "", node)]
    while pending:
        here, key, value = pending.pop()
        if here in _DATA:
            continue
        match value:
            case str():
                yield here, key, value
            case list():
                pending += (((*here, index), key, item) for index, item in enumerate(value))
            case dict():
                pending += (((*here, name), name, item) for name, item in value.items())
            case _:
                pass


def _urls(key: str, text: str) -> Iterator[str]:
    """Return the parts of `text` that the evaluator may read as a URL."""
    bare, holds_text = text.translate(_IGNORED_BY_PARSERS), bool(_HOLDS_TEXT.search(key))
    if not bare or (holds_text and len(text.split()) > 1):
        return
    scheme = _SCHEME.match(bare)
    if scheme is not None and scheme["scheme"].lower() in _WITHOUT_HOST:
        return
    if _INLINE.fullmatch(text):
        return
    if scheme is not None or _HTTP.match(bare) or _NAMES_A_URL.search(key):
        yield text
    elif not holds_text:
        # As in "base_url=http://host/v1,model=m".
        for found in _SCHEME.finditer(text):
            if found["scheme"].lower() not in _WITHOUT_HOST:
                yield _ENDS_A_URL.split(text[found.start() : found.start() + MAX_URL], maxsplit=1)[0]


def _host(url: str, *, bare: bool) -> str | None:
    """The host that `url` names; None where that is not plain. `bare`: the scheme may be missing."""
    text = f"http://{url}" if bare and not _SCHEME.match(url) else url
    if len(text) > MAX_URL:
        return None
    found = _URL.fullmatch(text)
    return None if found is None else found["host"]


def _message(place: tuple[Step, ...], host: str | None, allowed: AllowedHosts, *, hidden: bool) -> str:
    if hidden:
        what = "the host of the URL that valuesFrom puts here is not allowed"
    elif host is None:
        what = "this is not a plain http or https URL, so its host cannot be compared with the allowed ones"
    else:
        what = f"host {host[:253]} is not allowed"
    more = ", …" if len(allowed.patterns) > MAX_NAMED else ""
    named = ", ".join(allowed.patterns[:MAX_NAMED]) + more
    return (
        f"spec.{shown(place)}: {what}. This operator allows {named}: use one of these hosts, or ask the "
        "administrator to add yours to NEMO_ALLOWED_MODEL_HOSTS"
    )
