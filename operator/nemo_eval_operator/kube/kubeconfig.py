"""Kubeconfig files, read by the official client: contexts, exec plugins, rotating tokens.

Imported where a kubeconfig is used, and not in a pod: the client is the largest part of a start otherwise.
"""

from __future__ import annotations

from pathlib import Path

from kubernetes import client, config

from .config import KubeConfigMissing

__all__ = ["load_kubeconfig"]


def load_kubeconfig(path: Path | None) -> client.Configuration:
    """Return what a kubeconfig says: the named one, else $KUBECONFIG or ~/.kube/config.

    Raises KubeConfigMissing.
    """
    found = client.Configuration()
    try:
        config.load_kube_config(config_file=str(path) if path else None, client_configuration=found)
    except config.ConfigException as error:
        raise KubeConfigMissing(str(error)) from error
    return found
