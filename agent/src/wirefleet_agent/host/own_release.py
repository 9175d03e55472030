# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the release that runs says of the files that came with it."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import DriverError

WINTUN_DLL = "wintun.dll"
_HINT = "install the bundle again"


def pinned_wintun(release: Path) -> tuple[Path, str]:
    """The DLL of a release's folder and the SHA-256 that its record pins. Raises DriverError if it pins none."""
    record = release / "release.json"
    try:
        pin = json.loads(record.read_text(encoding="utf-8"))["wintun_sha256"]
    except OSError as error:
        raise DriverError(
            "this is no installed release, so nothing says which wintun.dll is the right one",
            call="open",
            os_code=error.errno or 0,
            path=str(record),
            hint=_HINT,
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DriverError(
            "the release does not pin its wintun.dll", call="read", path=str(record), hint=_HINT
        ) from error
    return release / WINTUN_DLL, str(pin)
