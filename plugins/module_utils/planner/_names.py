# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names: what is allowed, and an order that people expect."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?")
_TUNNEL_NAME = re.compile(r"[A-Za-z0-9_=+.-]{1,15}")
_REGION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_DNS_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_DIGITS = re.compile(r"([0-9]+)")


def is_host_name(name: str) -> bool:
    """Whether the name can be a file name on any system: letters, digits, and ``. _ -`` inside."""
    return _HOST_NAME.fullmatch(name) is not None


def is_tunnel_name(name: str) -> bool:
    """Whether the kernel accepts the name for an interface and a file system for a file."""
    return _TUNNEL_NAME.fullmatch(name) is not None and name not in (".", "..")


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
