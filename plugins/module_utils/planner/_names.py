# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names: what is allowed, and an order that people expect."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?")
_TUNNEL_NAME = re.compile(r"[A-Za-z0-9_=+.-]{1,15}")
_REGION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_DNS_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_WINDOWS_MAX_CHARACTERS = 32
_WINDOWS_PUNCTUATION = frozenset("_=+.-")
# Also with an extension behind them, and with superscript digits. Source: "Naming Files, Paths, and Namespaces".
_DOS_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³")]
)
# The host's identity key lies beside the tunnels' keys.
_RESERVED_TUNNEL = "identity"
_DIGITS = re.compile(r"([0-9]+)")


def is_host_name(name: str) -> bool:
    """Whether the name can be a file name on any system: letters, digits, and ``. _ -`` inside."""
    return _HOST_NAME.fullmatch(name) is not None


def is_linux_tunnel_name(name: str) -> bool:
    """Whether the kernel accepts the name for an interface and a file system for a file."""
    if name.startswith("-") or name in (".", "..", _RESERVED_TUNNEL):
        return False
    return _TUNNEL_NAME.fullmatch(name) is not None


def is_windows_tunnel_name(name: str) -> bool:
    """Whether Windows takes the name for a file and a service, whatever its case; "上海-01" is one.

    Only the composed form (NFC) is legal: two spellings that look the same would be two files.
    """
    return (
        0 < len(name) <= _WINDOWS_MAX_CHARACTERS
        and all(character.isalnum() or character in _WINDOWS_PUNCTUATION for character in name)
        and unicodedata.is_normalized("NFC", name)
        and not name.startswith("-")
        and not name.endswith(".")
        and name.partition(".")[0].upper() not in _DOS_DEVICES
        and name.casefold() != _RESERVED_TUNNEL
    )


def is_region_name(name: str) -> bool:
    return _REGION_NAME.fullmatch(name) is not None


def is_dns_name(name: str) -> bool:
    """Whether the name can be resolved; all digits and dots is a mistyped address."""
    return len(name) <= 253 and _DNS_NAME.fullmatch(name) is not None and not name.replace(".", "").isdecimal()


def natural_key(name: str) -> tuple[tuple[tuple[bool, int, str], ...], str]:
    """Sort key that puts spoke-2 before spoke-10."""
    parts = _DIGITS.split(name)
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part), name


def natural_sort(names: Iterable[str]) -> list[str]:
    return sorted(names, key=natural_key)
