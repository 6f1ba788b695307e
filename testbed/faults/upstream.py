"""Where the proxy forwards to; for an API server, with the trust and the certificate of a kubeconfig."""

import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
import yaml

from nemo_eval_operator.kube import Credentials

__all__ = ["Upstream", "proxied_kubeconfig"]

_CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Upstream:
    """A server by its URL. `tls` has trusted authorities and a client certificate; None: public authorities.

    `authorization` is for requests that come without one.
    """

    url: str
    tls: ssl.SSLContext | None = None
    authorization: str | None = None

    @classmethod
    def of_kubeconfig(cls, kubeconfig: Path) -> Self:
        """The API server of its current context, found as the operator finds it.

        A token that comes with a request is passed on. kubectl sends none to a server without TLS, and
        a client certificate cannot be passed on: such requests have the kubeconfig's own rights.
        """
        credentials = Credentials.find(kubeconfig)
        tls = ssl.create_default_context(cafile=credentials.ca_path)
        if credentials.certificate:
            tls.load_cert_chain(*credentials.certificate)
        return cls(credentials.server, tls, credentials.authorization())

    def client(self) -> httpx.AsyncClient:
        """A client without a limit of time or number: a watch has no end."""
        return httpx.AsyncClient(
            verify=self.tls or True,
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None),
            trust_env=False,
        )


def proxied_kubeconfig(original: Path, *, proxy_url: str, target: Path) -> Path:
    """A copy of a kubeconfig that goes by way of the proxy, with the same user; returns `target`."""
    config = yaml.safe_load(original.read_text())
    for cluster in config["clusters"]:
        cluster["cluster"] = {"server": proxy_url}
    target.touch(mode=0o600)
    target.write_text(json.dumps(config))  # JSON is YAML too
    return target
