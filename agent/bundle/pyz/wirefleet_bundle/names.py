# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Which paths may be written on a host: only those that every file system takes as they stand."""

from __future__ import annotations

from collections.abc import Iterable

_FORBIDDEN = frozenset('<>:"|?*\\')
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", "conin$", "conout$", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
)
_MAX_CHARACTERS = 180


def why_unsafe(path: str) -> str | None:
    """What is wrong with a relative path with forward slashes; None if it can be written below a directory anywhere.

    Windows strips dots and blanks at the end of a name, opens devices by name and streams behind a colon: each would
    be another file than the one that was checked.
    """
    if not path or len(path) > _MAX_CHARACTERS:
        return "it is empty or too long"
    if not path.isascii() or any(ord(character) < 32 or character in _FORBIDDEN for character in path):
        return "it has characters that Windows does not take"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "it leads out of its directory"
        if part[-1] in ". ":
            return "a name ends with a dot or a blank"
        if part.split(".")[0].rstrip().casefold() in _DEVICES:
            return "it names a device"
    return None


def colliding(paths: Iterable[str]) -> str | None:
    """A path that another one equals but for case, or that is a file and a directory at once; None if there is none."""
    seen: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        folded = path.casefold()
        if folded in seen:
            return path
        seen.add(folded)
        parts = folded.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    return min(seen & folders, default=None)
