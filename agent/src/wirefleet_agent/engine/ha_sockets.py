# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Keeps the heartbeat sockets open and listens on them; while they cannot be opened, tries again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog

from ..drivers.interfaces import HeartbeatDriver
from ..errors import DriverError
from .ha_settings import HaSettings
from .loop import Handle, Loop

_RETRY_S = 2.0

_log = structlog.get_logger(room="engine")


class HeartbeatSockets:
    """on_readable: with the descriptor. tunnel: its name, for the log."""

    def __init__(self, loop: Loop, driver: HeartbeatDriver, tunnel: str, on_readable: Callable[[int], None]) -> None:
        self._loop = loop
        self._driver = driver
        self._tunnel = tunnel
        self._on_readable = on_readable
        self._filenos: tuple[int, ...] = ()
        self._retry: Handle | None = None

    def open(self, settings: HaSettings) -> None:
        """Replaces what was open."""
        self.close()
        try:
            self._driver.open(settings.port, settings.own_addresses)
        except DriverError as error:
            _log.error("heartbeat_socket_failed", tunnel=self._tunnel, error=str(error))
            self._retry = self._loop.call_at(self._loop.now() + _RETRY_S, partial(self.open, settings))
            return
        self._filenos = self._driver.filenos()
        for fileno in self._filenos:
            self._loop.add_reader(fileno, partial(self._on_readable, fileno))

    def close(self) -> None:
        """Idempotent."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for fileno in self._filenos:
            self._loop.remove_reader(fileno)
        self._filenos = ()
        self._driver.close()
