"""Helm: the one in PATH where it is recent enough, else ours, built once into the cache."""

import functools
import re
import shutil
import subprocess
from typing import Final

from testbed.go_programs import GoProgram

__all__ = ["helm_command", "is_recent"]

_VERSION: Final = "v3.22.0"  # of helm.sh/helm/v3 in tests/programs/go.mod
_KUBERNETES_MINOR: Final = "37"  # of k8s.io/client-go there: what `helm template` takes the cluster for
_OLDEST: Final = (3, 17)  # --take-ownership
# `helm lint` reads the versions of client-go, which the linker sets, to find deprecated Kubernetes APIs.
_LDFLAGS: Final = " ".join(
    (
        "-s -w",
        f"-X helm.sh/helm/v3/internal/version.version={_VERSION}",
        *(
            f"-X helm.sh/helm/v3/pkg/{package}.k8sVersion{part}={value}"
            for package in ("chartutil", "lint/rules")
            for part, value in (("Major", "1"), ("Minor", _KUBERNETES_MINOR))
        ),
    )
)
_HELM: Final = GoProgram(
    name="helm",
    package="helm.sh/helm/v3/cmd/helm",
    ldflags=_LDFLAGS,
    announcement=f"Building Helm {_VERSION} from tests/programs: about a minute on two cores, once.",
    instead="There is neither a Helm 3.17 or later nor a Go to build one with: install one of them.",
)


@functools.cache
def helm_command() -> str:
    """The path of a Helm 3."""
    found = shutil.which("helm")
    return found if found and is_recent(found) else str(_HELM.built())


def is_recent(helm: str) -> bool:
    """Whether that program is a Helm 3 which has all that we use."""
    asked = subprocess.run(
        [helm, "version", "--template", "{{.Version}}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    version = re.match(r"v(\d+)\.(\d+)", asked.stdout)
    if version is None:
        return False
    major, minor = map(int, version.groups())
    return major == _OLDEST[0] and minor >= _OLDEST[1]


if __name__ == "__main__":
    # For `make generate`: $(python -m testbed.helm).
    print(helm_command())
