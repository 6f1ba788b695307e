"""Kubeconfig files, read by the official client: contexts, exec plugins, rotating tokens.

Imported where a kubeconfig is used, and not in a pod: the client is the largest part of a start otherwise.
"""

from __future__ import annotations

from pathlib import Path

from kubernetes import client, config

from .config import KubeConfigMissing

__all__ = ["context_namespace", "load_kubeconfig"]


def load_kubeconfig(path: Path | None) -> client.Configuration:
    """Return the configuration of a kubeconfig: the named one, else $KUBECONFIG or ~/.kube/config.

    Raises KubeConfigMissing.
    """
    found = client.Configuration()
    try:
        config.load_kube_config(config_file=str(path) if path else None, client_configuration=found)
    except config.ConfigException as error:
        raise KubeConfigMissing(str(error)) from error
    return found


def context_namespace(path: Path | None) -> str:
    """Return the namespace of the current context, as kubectl uses it. Raises KubeConfigMissing."""
    try:
        _, active = config.list_kube_config_contexts(config_file=str(path) if path else None)
    except config.ConfigException as error:
        raise KubeConfigMissing(str(error)) from error
    return str(active["context"].get("namespace") or "default")
