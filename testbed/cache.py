"""Where things that take long to build are kept between runs."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cache_dir", "locked"]


def cache_dir() -> Path:
    """The project's directory in the user's cache, created where it is missing."""
    # The XDG rules: a value that is empty or relative is as good as none.
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = configured if configured.is_absolute() else Path.home() / ".cache"
    path = root / "nemo-eval-operator"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time build the thing called NAME; the lock ends with its holder."""
    with (cache_dir() / f"{name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another process that is building {name} …", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
