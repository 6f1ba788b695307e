"""Kubeconfig files, read by the official client: contexts, exec plugins, rotating tokens.

Imported where a kubeconfig is used, and not in a pod: the client is the largest part of a start otherwise.
"""

from __future__ import annotations

from pathlib import Path

from nemo_eval_operator.imports import import_without

# Where chardet is installed, the client's requests loads all its tables, which takes a second of CPU.
import_without("requests", part="chardet")

from kubernetes import client, config  # noqa: E402
from yaml import YAMLError  # noqa: E402

from .config import KubeConfigMissing  # noqa: E402

__all__ = ["context_namespace", "load_kubeconfig"]


def load_kubeconfig(path: Path | None, context: str | None = None) -> client.Configuration:
    """Return the configuration of a kubeconfig: the named one, else $KUBECONFIG or ~/.kube/config.

    `context` None: its current context. Raises KubeConfigMissing.
    """
    found = client.Configuration()
    try:
        config.load_kube_config(
            config_file=str(path) if path else None, context=context, client_configuration=found
        )
    except config.ConfigException as error:
        raise KubeConfigMissing(str(error)) from error
    except YAMLError as error:
        raise KubeConfigMissing(f"the kubeconfig is not YAML: {error}") from error
    return found


def context_namespace(path: Path | None, context: str | None = None) -> str:
    """Return the namespace of a context (None: the current one), as kubectl uses it.

    Raises KubeConfigMissing.
    """
    try:
        contexts, active = config.list_kube_config_contexts(config_file=str(path) if path else None)
    except config.ConfigException as error:
        raise KubeConfigMissing(str(error)) from error
    if context is not None:
        active = next((one for one in contexts if one["name"] == context), None)
        if active is None:
            raise KubeConfigMissing(f"the kubeconfig has no context {context}")
    return str(active["context"].get("namespace") or "default")
