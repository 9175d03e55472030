# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Pickles that do harm when they are read: each touches a file, so that a test can tell."""

from __future__ import annotations

import builtins
import collections
import os
import pathlib
import pickle
import subprocess
from pathlib import Path

HOSTILE = (
    "os.system",
    "builtins.eval",
    "builtins.exec",
    "subprocess.Popen",
    "pathlib.Path.touch",
    "a class that is not on the list",
    "os.system, nested in a message",
    "os.system, by hand with INST",
    "os.system, by hand with OBJ",
    "builtins.eval, by hand with STACK_GLOBAL",
    "an extension code",
    "a persistent id",
)


class Marker:
    """A file that is there once something hostile has run."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "touched"
        self.command = f"touch '{self.path}'"
        self.expression = f"__import__('pathlib').Path({str(self.path)!r}).touch()"

    @property
    def was_touched(self) -> bool:
        return self.path.exists()


class _Calls:
    def __init__(self, function: object, *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._call


def hostile_pickles(marker: Marker, protocol: int = 2) -> dict[str, bytes]:
    """One of each kind, by its name in ``HOSTILE``."""
    system = _Calls(os.system, marker.command)
    command = marker.command.encode()
    expression = marker.expression.encode()
    found = {
        "os.system": pickle.dumps(system, protocol),
        "builtins.eval": pickle.dumps(_Calls(builtins.eval, marker.expression), protocol),
        "builtins.exec": pickle.dumps(_Calls(builtins.exec, marker.expression), protocol),
        "subprocess.Popen": pickle.dumps(_Calls(subprocess.Popen, ["touch", str(marker.path)]), protocol),
        "pathlib.Path.touch": pickle.dumps(_Calls(pathlib.Path.touch, marker.path), protocol),
        "a class that is not on the list": pickle.dumps(collections.OrderedDict(a=1), protocol),
        "os.system, nested in a message": pickle.dumps({"type": "request_vote", "term": [system]}, protocol),
        "os.system, by hand with INST": b"(S" + repr(command)[1:].encode() + b"\nios\nsystem\n.",
        "os.system, by hand with OBJ": b"(cos\nsystem\nS" + repr(command)[1:].encode() + b"\no.",
        "builtins.eval, by hand with STACK_GLOBAL": b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c"
        + bytes([len(expression)])
        + expression
        + b"\x85R.",
        "an extension code": b"\x80\x02\x82\x01.",
        "a persistent id": b"\x80\x04Panything\n.",
    }
    assert tuple(found) == HOSTILE
    return found
