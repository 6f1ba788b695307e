"""What Kopf calls. A handler names the object that something happened to, and returns."""

from .registry import Context, build_registry

__all__ = ["Context", "build_registry"]
