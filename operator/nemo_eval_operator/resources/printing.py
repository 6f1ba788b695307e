"""The columns of `kubectl get`, written beside the kind they belong to."""

from __future__ import annotations

from typing import Any, NamedTuple


class Column(NamedTuple):
    """One column; priority 0 is always shown, 1 with `-o wide`."""

    name: str
    json_path: str
    description: str
    type: str = "string"
    priority: int = 0

    def to_manifest(self) -> dict[str, Any]:
        """As in additionalPrinterColumns."""
        column: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "jsonPath": self.json_path,
            "description": self.description,
        }
        return column | ({"priority": self.priority} if self.priority else {})
