"""What a program does in its signal handlers, as the preloaded shim saw it."""

import struct
from dataclasses import dataclass

from . import build, strange

_FOUND = struct.Struct("=ii56s")


@dataclass(frozen=True)
class Found:
    """What was seen so far.

    ``runs`` is how often a handler ran, ``spoilt`` the errno that the first
    handler to change it left behind (0: none did), ``unsafe`` the first
    function called in a handler that signal-safety(7) does not list.
    """

    runs: int
    spoilt: int
    unsafe: str


class Handlers:
    """The findings of ``native/handler.c`` about one program.

    Pass ``how()`` on to ``Program.start``; the build must be "shim".

    Args:
        path: a new file, which the program maps.
    """

    VARIABLE = "SOCKLAB_HANDLER"

    def __init__(self, path: str):
        self.path = path
        self._file = strange.Shared(path, _FOUND.size)

    def how(self) -> dict:
        """Return the arguments of ``Program.start`` that preload the shim."""
        library = build.native("handler", "-shared", "-fPIC", "-fno-builtin")
        return {"preload": str(library), "env": {self.VARIABLE: self.path}}

    def found(self) -> Found:
        """Return what was seen so far."""
        runs, spoilt, name = _FOUND.unpack(self._file.read())
        return Found(runs, spoilt, name.split(b"\0")[0].decode("ascii", "replace"))
