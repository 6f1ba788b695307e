"""Large blocks are returned when they are freed: glibc counts them, in a child process."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes
from nemo_eval_operator.runtime.memory import return_large_blocks

class Info(ctypes.Structure):
    fields = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in fields.split()]

libc = ctypes.CDLL(None)
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
libc.free.argtypes, libc.mallinfo2.restype = [ctypes.c_void_p], Info

def mapped_by_itself():
    libc.free(libc.malloc(16 << 20))
    before = libc.mallinfo2().hblks
    libc.malloc(1 << 20)
    return libc.mallinfo2().hblks - before

{call}
print(mapped_by_itself())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="glibc 2.33 or later counts them")
@pytest.mark.parametrize(("call", "mapped"), [("", "0"), ("return_large_blocks()", "1")])
def test_a_large_block_is_returned_when_it_is_freed(call: str, mapped: str) -> None:
    program = PROGRAM.replace("{call}", call)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == mapped
