"""A C and C++ compiler for llama.cpp: the machine's own, else Zig's, which comes as a Python package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from testbed.cache import cache_dir
from testbed.processes import ProcessError

__all__ = ["compiler_environment"]

_ZIG: Final = "ziglang==0.17.1"
_TOOLS: Final = ("cc", "c++", "ar", "ranlib")
# Zig brings no OpenMP runtime; llama.cpp's own threads do as well.
_ZIG_CMAKE_ARGS: Final = "-DGGML_OPENMP=OFF -DCMAKE_AR={ar} -DCMAKE_RANLIB={ranlib}"


def compiler_environment(uv: str, cmake_args: str) -> dict[str, str]:
    """Environment variables under which CMake, called with CMAKE_ARGS, finds a compiler."""
    environment = {"CMAKE_ARGS": cmake_args, "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1)}
    if "CXX" in os.environ or any(map(shutil.which, ("c++", "g++", "clang++"))):
        return environment
    tools = _zig(uv)
    zig_args = _ZIG_CMAKE_ARGS.format(ar=tools["ar"], ranlib=tools["ranlib"])
    return environment | {
        "CC": str(tools["cc"]),
        "CXX": str(tools["c++"]),
        "CMAKE_ARGS": f"{cmake_args} {zig_args}",
    }


def _zig(uv: str) -> dict[str, Path]:
    """Install Zig into the cache; its tools by name, each a program of its own as CMake wants them."""
    print(f"There is no C++ compiler here: using {_ZIG}.", flush=True)
    home = cache_dir() / _ZIG.replace("==", "-")
    python = home / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(home)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), _ZIG], check=True)
    except subprocess.CalledProcessError as error:
        msg = f"{_ZIG} cannot be installed: install a C++ compiler instead."
        raise ProcessError(msg) from error
    tools = {}
    for tool in _TOOLS:
        tools[tool] = home / "bin" / f"zig-{tool}"
        tools[tool].write_text(f'#!/bin/sh\nexec "{python}" -m ziglang {tool} "$@"\n')
        tools[tool].chmod(0o755)
    return tools
