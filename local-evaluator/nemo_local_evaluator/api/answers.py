"""JSON responses of all routes."""

from __future__ import annotations

import json
from typing import Any

from fastapi.responses import JSONResponse
from typing_extensions import override

__all__ = ["Answer"]


class Answer(JSONResponse):
    @override
    def render(self, content: Any) -> bytes:
        # In ASCII: a model may answer with half a surrogate pair, which UTF-8 cannot hold.
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
