# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""DNS of an interface through resolvconf(8), which every resolver package of Linux brings in some form."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence

assert sys.platform != "win32"  # nothing below means anything there

from ..errors import DriverError

_TIMEOUT_S = 10


def set_dns(interface: str, servers: Sequence[str], search: Sequence[str]) -> None:
    """Use these servers exclusively while the interface is up; both empty: take them back."""
    program = shutil.which("resolvconf")
    if not servers and not search:
        if program is not None:
            _run([program, "-d", interface, "-f"], "")
        return
    if program is None:
        raise DriverError(
            "DNS is set, but there is no resolvconf",
            call="resolvconf",
            path=f"{interface} DNS",
            hint="install openresolv or systemd-resolved's resolvconf, or leave DNS out",
        )
    lines = [f"nameserver {server}\n" for server in servers]
    if search:
        lines.append(f"search {' '.join(search)}\n")
    _run([program, "-a", interface, "-m", "0", "-x"], "".join(lines))


def _run(command: list[str], text: str) -> None:
    try:
        subprocess.run(command, input=text, text=True, capture_output=True, check=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError) as error:
        detail = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else ""
        raise DriverError(detail or str(error), call="resolvconf", path=" ".join(command)) from error
