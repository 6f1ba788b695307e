"""A Kubernetes API as processes on loopback: etcd, kube-apiserver and, if present, the controller manager.

RBAC is on, the administrator is a static token in group system:masters, service accounts work. There are no
nodes, unless testbed.node adds one: Pods are accepted and stay Pending.
"""

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed.binaries import Binaries
from testbed.processes import Processes, Program, free_port, http_ready

__all__ = ["Serving", "start_controlplane"]

# With throw-away data there is nothing to save at the end.
_GRACE_SECONDS: Final = 1
# What we test needs: deletion by owner and of namespaces, service accounts. The others serve Pods and nodes.
_CONTROLLERS: Final = (
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
)
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Serving:
    """Where the API server listens and what differs where it has nodes."""

    bind: str = "127.0.0.1"
    address: str = "127.0.0.1"
    """The address that the certificate is for."""
    services: str = "10.0.0.0/24"
    """The range of Services' addresses."""
    tokens: Sequence[str] = ()
    """Further lines of the file of static tokens: TOKEN,USER,UID,GROUP."""
    apiserver: Sequence[str] = (
        "--authorization-mode=RBAC",
        # The service "kubernetes" cannot have a loopback address as its endpoint.
        "--endpoint-reconciler-type=none",
    )
    controllers: Sequence[str] = _CONTROLLERS
    manager: Sequence[str] = ()


@dataclass(frozen=True)
class _Address:
    """How the administrator reaches the API server."""

    url: str
    token: str
    ca_file: Path


_ON_LOOPBACK: Final = Serving()


def start_controlplane(
    processes: Processes, binaries: Binaries, workdir: Path, serving: Serving = _ON_LOOPBACK
) -> Path:
    """Start it with its data in WORKDIR; returns the administrator's kubeconfig."""
    workdir.mkdir(parents=True, exist_ok=True)
    workdir.chmod(0o700)
    signing_key = workdir / "service-account.key"
    signing_key.write_text(_elliptic_curve_key())
    etcd_url = _start_etcd(processes, binaries, workdir)
    address = _start_apiserver(
        processes, binaries, workdir, serving, etcd_url=etcd_url, signing_key=signing_key
    )
    kubeconfig = workdir / "kubeconfig"
    kubeconfig.write_text(_kubeconfig(address))
    if binaries.controller_manager is not None:
        _start_controller_manager(
            processes, binaries.controller_manager, workdir, serving, address=address, signing_key=signing_key
        )
    return kubeconfig


def _start_etcd(processes: Processes, binaries: Binaries, workdir: Path) -> str:
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    argv = [
        *binaries.etcd,
        f"--data-dir={workdir / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    ready = http_ready(f"{client}/health")
    log = workdir / "etcd.log"
    processes.start(Program("etcd", argv, log=log, ready=ready, grace=_GRACE_SECONDS))
    return client


def _start_apiserver(
    processes: Processes,
    binaries: Binaries,
    workdir: Path,
    serving: Serving,
    *,
    etcd_url: str,
    signing_key: Path,
) -> _Address:
    port = free_port()
    certificates = workdir / "certificates"
    host = f"[{serving.address}]" if ":" in serving.address else serving.address
    address = _Address(
        url=f"https://{host}:{port}", token=secrets.token_urlsafe(), ca_file=certificates / "apiserver.crt"
    )
    tokens = workdir / "tokens.csv"
    lines = [f"{address.token},admin,admin,system:masters", *serving.tokens]
    tokens.write_text("".join(f"{line}\n" for line in lines))
    argv = [
        *binaries.apiserver,
        f"--etcd-servers={etcd_url}",
        f"--bind-address={serving.bind}",
        f"--advertise-address={serving.address}",
        f"--secure-port={port}",
        f"--cert-dir={certificates}",
        f"--token-auth-file={tokens}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={signing_key}",
        f"--service-account-key-file={signing_key}",
        f"--service-cluster-ip-range={serving.services}",
        *serving.apiserver,
    ]
    ready = http_ready(f"{address.url}/readyz", token=address.token, ca_file=address.ca_file)
    log = workdir / "kube-apiserver.log"
    processes.start(Program("kube-apiserver", argv, log=log, ready=ready, grace=_GRACE_SECONDS))
    return address


def _start_controller_manager(
    processes: Processes,
    command: tuple[str, ...],
    workdir: Path,
    serving: Serving,
    *,
    address: _Address,
    signing_key: Path,
) -> None:
    argv = [
        *command,
        f"--kubeconfig={workdir / 'kubeconfig'}",
        f"--controllers={','.join(serving.controllers)}",
        f"--service-account-private-key-file={signing_key}",
        "--leader-elect=false",
        "--secure-port=0",
        *serving.manager,
    ]
    # Its health says nothing of its controllers; one of them having done its work does.
    account = f"{address.url}/api/v1/namespaces/default/serviceaccounts/default"
    ready = http_ready(account, token=address.token, ca_file=address.ca_file)
    log = workdir / "kube-controller-manager.log"
    processes.start(Program("kube-controller-manager", argv, log=log, ready=ready, grace=_GRACE_SECONDS))


def _kubeconfig(address: _Address) -> str:
    """JSON, which is YAML too."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "testbed",
                "cluster": {
                    "server": address.url,
                    "certificate-authority-data": base64.b64encode(address.ca_file.read_bytes()).decode(),
                },
            }
        ],
        "users": [{"name": "admin", "user": {"token": address.token}}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "admin"}}],
        "current-context": "testbed",
    }
    return json.dumps(config, indent=2)


def _elliptic_curve_key() -> str:
    """A new P-256 private key in PEM (SEC 1, RFC 5915), without the optional public point."""
    scalar = (secrets.randbelow(_P256_ORDER - 1) + 1).to_bytes(32)
    sequence = bytes.fromhex("3031020101" + "0420") + scalar + bytes.fromhex("a00a" + "06082a8648ce3d030107")
    body = base64.b64encode(sequence).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN EC PRIVATE KEY-----", *lines, "-----END EC PRIVATE KEY-----", ""])
