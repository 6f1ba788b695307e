"""The container runtime and network tools: Debian packages, unpacked into the cache and not installed."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from testbed.builds import run_build
from testbed.cache import cache_dir, locked

__all__ = ["unpacked_packages"]

_PACKAGES: Final = (
    *("containerd", "runc", "containernetworking-plugins", "conntrack", "iptables", "nftables", "kmod"),
    *("libbsd0", "libedit2", "libgmp10", "libip4tc2", "libip6tc2", "libjansson4", "libmnl0"),
    *("libnetfilter-conntrack3", "libnfnetlink0", "libnftables1", "libnftnl11", "libseccomp2"),
    "libxtables12",
)


def unpacked_packages() -> Path:
    """Return the directory with the packages' files; ProcessError where apt-get cannot download them."""
    release = Path("/etc/os-release").read_text()
    key = hashlib.sha256(f"{_PACKAGES} {release}".encode()).hexdigest()[:16]
    target = cache_dir() / f"node-packages-{key}"
    with locked("node-packages"):
        if not target.exists():
            _unpack(target)
    return target


def _unpack(target: Path) -> None:
    print("Downloading the packages of a container runtime: 40 MB, once.", flush=True)
    with tempfile.TemporaryDirectory(dir=cache_dir()) as directory:
        downloads, unfinished = Path(directory) / "downloads", Path(directory) / "root"
        downloads.mkdir()
        log = cache_dir() / "node-packages.log"
        run_build(["apt-get", "download", *_PACKAGES], cwd=downloads, log=log)
        for package in sorted(downloads.glob("*.deb")):
            subprocess.run(["dpkg", "-x", package, unfinished], check=True)  # noqa: S607
        shutil.move(unfinished, target)
