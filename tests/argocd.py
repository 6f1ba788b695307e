"""How Argo CD shows an object: what it decides itself, and for the rest our health check under Lua 5.1.

The sandbox is Argo CD's (util/lua/lua.go): base, package and table, a harmless os that no check needs, and
neither string nor math. What Argo CD decides itself is GetResourceHealth's beginning (gitops-engine).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime

HEALTH_LUA = Path(__file__).parent.parent / "deploy" / "gitops" / "argocd" / "health.lua"
HOOK_FINALIZER = "argocd.argoproj.io/hook-finalizer"

CLOSE_LIBRARIES = """
getmetatable("").__index = nil
for _, name in ipairs({"string", "math", "io", "os", "debug", "coroutine", "python"}) do
  _G[name] = nil
  package.loaded[name] = nil
end
"""


@dataclass(frozen=True)
class Health:
    status: str
    message: str


def health(live: dict[str, Any] | None, *, script: str | None = None) -> Health:
    """Argo CD's health of a live object; None is an object that is in Git only."""
    if live is None:
        return Health("Missing", "")
    metadata = live["metadata"]
    if "deletionTimestamp" in metadata and HOOK_FINALIZER not in metadata.get("finalizers", []):
        return Health("Progressing", "Pending deletion")
    lua = LuaRuntime()
    lua.execute(CLOSE_LIBRARIES)
    lua.globals()["obj"] = lua.table_from(live, recursive=True)
    result: Any = lua.execute(HEALTH_LUA.read_text() if script is None else script)
    return Health(result["status"], result["message"])
