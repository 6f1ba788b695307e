"""Kubeconfig files, read by the official client: contexts, exec plugins, rotating tokens.

Imported where a kubeconfig is used, and not in a pod: the client is the largest part of a start otherwise.
"""

from __future__ import annotations

import binascii
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from nemo_eval_operator.imports import import_without

# Where chardet is installed, the client's requests loads all its tables, which takes a second of CPU.
import_without("requests", part="chardet")

from kubernetes import client, config  # noqa: E402
from kubernetes.config import kube_config  # noqa: E402
from yaml import YAMLError  # noqa: E402

from .config import CredentialPluginFailed, KubeConfigMissing  # noqa: E402

__all__ = ["authorization_in", "context_namespace", "load_kubeconfig"]

logger = logging.getLogger(__name__)

UNKNOWN_FORM: Final = (
    "is not an object with clusters, users and contexts, or has an auth-provider that is not supported "
    "(check it with `kubectl config view`)"
)


def load_kubeconfig(path: Path | None, context: str | None = None) -> client.Configuration:
    """Return the configuration of a kubeconfig: the named one, else $KUBECONFIG or ~/.kube/config.

    `context` None: its current context. Raises KubeConfigMissing.
    """
    found = client.Configuration()
    with _explained(path), _plugin_errors() as problems:
        config.load_kube_config(
            config_file=str(path) if path else None, context=context, client_configuration=found
        )
    if problems:
        raise CredentialPluginFailed(_plugin_failed(path, problems))
    return found


def authorization_in(configuration: client.Configuration, path: Path | None) -> str | None:
    """Return the value of the Authorization header; a token that has expired is first replaced.

    A credential plugin that fails then is only logged: the API server says whether the former token will do.
    """
    with _plugin_errors() as problems:
        values = (configuration.get_api_key_with_prefix(name) for name in ("authorization", "BearerToken"))
        value = next((str(value) for value in values if value), None)
    if problems:
        logger.warning("%s", _plugin_failed(path, problems))
    return value


def context_namespace(path: Path | None, context: str | None = None) -> str:
    """Return the namespace of a context (None: the current one), as kubectl uses it.

    Raises KubeConfigMissing.
    """
    with _explained(path):
        contexts, active = config.list_kube_config_contexts(config_file=str(path) if path else None)
    if context is not None:
        active = next((one for one in contexts if one["name"] == context), None)
        if active is None:
            raise KubeConfigMissing(f"the kubeconfig has no context {context}")
    return str(active["context"].get("namespace") or "default")


def _plugin_failed(path: Path | None, problems: list[str]) -> str:
    # The plugin is called for each name of the header, and fails alike.
    return (
        f"the credential plugin of the kubeconfig {_shown(path)} failed: {'; '.join(dict.fromkeys(problems))}"
    )


def _shown(path: Path | None) -> str:
    """Return the file, or the files, that are read."""
    return str(path or kube_config.KUBE_CONFIG_DEFAULT_LOCATION)


@contextmanager
def _explained(path: Path | None) -> Iterator[None]:
    """Raise KubeConfigMissing for what the client raises: it does not check the form of what it reads."""
    where = f"the kubeconfig {_shown(path)}"
    try:
        yield
    except config.ConfigException as error:
        raise KubeConfigMissing(str(error)) from error
    except YAMLError as error:
        raise KubeConfigMissing(f"the kubeconfig is not YAML: {error}") from error
    except UnicodeDecodeError as error:
        raise KubeConfigMissing(f"{where} is not text in UTF-8") from error
    except binascii.Error as error:
        raise KubeConfigMissing(f"{where} has data that is not base64") from error
    except OSError as error:
        raise KubeConfigMissing(f"{where} cannot be read: {error.filename}: {error.strerror}") from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise KubeConfigMissing(f"{where} {UNKNOWN_FORM}") from error


@contextmanager
def _plugin_errors() -> Iterator[list[str]]:
    """Collect why a credential plugin failed, which the client only writes to the root logger."""
    found: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        if record.pathname != kube_config.__file__:
            return True
        if record.levelno >= logging.ERROR:
            error = record.getMessage().removeprefix("exec: ")
            found.append(error.partition("] ")[2] if error.startswith("[Errno ") else error)
        return False

    root = logging.getLogger()
    root.addFilter(collect)
    try:
        yield found
    finally:
        root.removeFilter(collect)
