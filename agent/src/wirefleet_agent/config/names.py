# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a tunnel may be called. Its name is an interface, a file and a service, and each platform has its own limits.

A configuration is read on both platforms, so it takes a name that is legal on either; the host then asks for its own.
"""

from __future__ import annotations

import re
import unicodedata

LINUX_NAME_HINT = "1 to 15 of the characters A-Z a-z 0-9 _ = + . -"
WINDOWS_NAME_HINT = "1 to 32 letters and digits of any script, or _ = + . -; no device name such as CON or COM1"

_LINUX_NAME = re.compile(r"[A-Za-z0-9_=+.-]{1,15}")
_WINDOWS_MAX_CHARACTERS = 32
_WINDOWS_PUNCTUATION = frozenset("_=+.-")
# Also with an extension behind them, and with superscript digits. Source: "Naming Files, Paths, and Namespaces".
_DOS_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³")]
)
# Its key file would be the host's own identity key.
RESERVED_NAME = "identity"


def is_tunnel_name(name: str) -> bool:
    """Legal on at least one platform."""
    return is_linux_name(name) or is_windows_name(name)


def is_linux_name(name: str) -> bool:
    """A name that Linux takes for an interface and that is no path."""
    return _LINUX_NAME.fullmatch(name) is not None and name not in {".", ".."}


def is_windows_name(name: str) -> bool:
    """A name that Windows takes for a file and a service, whatever its case; "上海-01" is one.

    Only the composed form (NFC) is legal: two spellings that look the same would be two files.
    """
    return (
        0 < len(name) <= _WINDOWS_MAX_CHARACTERS
        and all(character.isalnum() or character in _WINDOWS_PUNCTUATION for character in name)
        and unicodedata.is_normalized("NFC", name)
        and not name.endswith(".")
        and name.partition(".")[0].upper() not in _DOS_DEVICES
        and name.casefold() != RESERVED_NAME
    )
