"""A cluster DNS for Services: answers NAME.NAMESPACE.svc.cluster.local with the Service's address.

    python -m testbed.node.dns KUBECONFIG ADDRESS

CoreDNS would be another large program to build, and a node of tests asks for nothing else.
"""

import base64
import json
import socket
import ssl
import sys
import urllib.request
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

_PORT: Final = 53
_SUFFIX: Final = ["svc", "cluster", "local"]
_TIME_OUT: Final = 5.0
"""For a question to the API server, in seconds."""

_TTL: Final = 1
"""For how many seconds an answer may be kept."""

_TYPES: Final = {1: IPv4Address, 28: IPv6Address}
"""Types of records, A and AAAA, and what they hold (RFC 1035 and 3596)."""

_HEADER_BYTES: Final = 12


class Services:
    """The Services of the cluster, read when they are asked for."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._url, self._token = cluster["server"], config["users"][0]["user"]["token"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)

    def address(self, name: str) -> IPv4Address | IPv6Address | None:
        """Return the address of a Service by its full name; None where there is none."""
        labels = name.lower().rstrip(".").split(".")
        if labels[2:] != _SUFFIX:
            return None
        url = f"{self._url}/api/v1/namespaces/{labels[1]}/services/{labels[0]}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310 - the API server's
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=_TIME_OUT) as answer:  # noqa: S310
                return ip_address(json.load(answer)["spec"]["clusterIP"])
        except (OSError, ValueError):
            return None


@dataclass(frozen=True)
class Question:
    """The first question of a message."""

    name: str
    kind: int
    data: bytes

    @classmethod
    def of_message(cls, message: bytes) -> "Question":
        """Read it; raises IndexError or UnicodeDecodeError where the message is broken."""
        position, labels = _HEADER_BYTES, []
        while length := message[position]:
            labels.append(message[position + 1 : position + 1 + length].decode())
            position += 1 + length
        kind = int.from_bytes(message[position + 1 : position + 3])
        return cls(".".join(labels), kind, message[_HEADER_BYTES : position + 5])


def answer_to(message: bytes, services: Services) -> bytes:
    """Return the answer: one record, none where the type differs, or that the name does not exist."""
    question = Question.of_message(message)
    address = services.address(question.name)
    record = b""
    if address is not None and isinstance(address, _TYPES.get(question.kind, ())):
        packed = address.packed
        # The name is a pointer to the question's.
        record = b"\xc0\x0c" + question.kind.to_bytes(2) + b"\0\1" + _TTL.to_bytes(4)
        record += len(packed).to_bytes(2) + packed
    flags = 0x8400 | (3 if address is None else 0)
    counts = [1, 1 if record else 0, 0, 0]
    header = message[:2] + flags.to_bytes(2) + b"".join(count.to_bytes(2) for count in counts)
    return header + question.data + record


def main() -> None:
    services = Services(Path(sys.argv[1]))
    address = sys.argv[2]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.bind((address, _PORT))
        while True:
            message, peer = server.recvfrom(2048)
            try:
                server.sendto(answer_to(message, services), peer)
            except (IndexError, UnicodeDecodeError, OSError) as error:
                print(f"{peer}: {error}", flush=True)


if __name__ == "__main__":
    main()
