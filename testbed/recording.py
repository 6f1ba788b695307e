"""`python -m testbed.recording FILE COMMAND...`: runs commands in a terminal and draws what they show as SVG.

README's picture is drawn in a demo that is kept (`make demo KEEP=1`), with its KUBECONFIG and the namespace
as kubectl's default:

    python -m testbed.recording docs/plugin.svg 'kubectl nemoeval get' 'kubectl nemoeval why NAME' ...
"""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

_COLUMNS: Final = 118
_SECONDS: Final = 120
"""Seconds that one command may take."""
_REMOTE_FONTS: Final = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""Fonts of another site: a picture in a repository loads nothing."""


def main(arguments: Sequence[str]) -> int:
    """Record the commands of a command line, and return the exit code."""
    match arguments:
        case [path, *commands] if commands:
            pass
        case _:
            print(__doc__, file=sys.stderr)
            return 64
    Path(path).write_text(drawing_of({command: shown_by(command) for command in commands}))
    return 0


def drawing_of(shown: dict[str, str]) -> str:
    """Return the SVG of a terminal in which these commands showed these texts."""
    console = Console(
        record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for command, text in shown.items():
        console.print(Text.assemble(("$ ", "bright_black"), (command, "bold")))
        console.print(Text.from_ansi(text), soft_wrap=True)
    drawing = console.export_svg(title="kubectl nemoeval", theme=DIMMED_MONOKAI, unique_id="terminal")
    return "\n".join(line.rstrip() for line in _REMOTE_FONTS.sub("", drawing).splitlines()) + "\n"


def shown_by(command: str) -> str:
    """Run the command in a shell on a terminal, and return what it writes, with its colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, _COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(_COLUMNS)}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        process.wait(timeout=_SECONDS)
    os.close(ours)
    return shown.decode(errors="replace").replace("\r\n", "\n").strip("\n") + "\n"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        # Linux reports the end of a terminal's last writer as an error.
        return b""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
