# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Tell the service manager how we are: the protocol of sd_notify(3), without a library."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Mapping

assert sys.platform != "win32"  # systemd is where Linux is


class ServiceNotifier:
    """Datagrams to $NOTIFY_SOCKET; does nothing where there is none, and never fails."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog_us = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_s = int(watchdog_us) / 1e6 if watchdog_us.isdecimal() and is_ours else 0.0

    @property
    def watchdog_interval_s(self) -> float | None:
        """How often to send ``watchdog``: half of what the manager waits; None if it does not watch."""
        return self._watchdog_s / 2 if self._address and self._watchdog_s > 0 else None

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(), self._address)
