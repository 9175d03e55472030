# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A TUN interface of Windows: a Wintun adapter, through the public API of wintun.h only.

The adapter exists as long as this object; it is "up" while it has a session. Addresses, routes and the MTU belong to
the IP Helper (routes_windows), which finds the interface by its LUID.

The adapter's GUID is a UUIDv5 of the tunnel's name (NFC, case folded), so that Windows knows the network again after a
restart (its firewall profile hangs on it) and an adapter that a crash left behind is found, not doubled.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Sequence
from typing import cast

import structlog

from ..errors import DriverError
from ..wire.batch import Batch
from .doorbell import Doorbell
from .interfaces import Buffer, LinkEvent
from .win32_errors import (
    ERROR_ALREADY_EXISTS,
    ERROR_ALREADY_INITIALIZED,
    ERROR_FILE_EXISTS,
    ERROR_FILE_NOT_FOUND,
    ERROR_HANDLE_EOF,
    ERROR_INVALID_DATA,
    ERROR_NOT_FOUND,
    ERROR_OBJECT_ALREADY_EXISTS,
    Win32Error,
)
from .wintun_ring import LOG_INFO, WintunApi, WintunSession

TUNNEL_TYPE = "WireFleet"
RING_BYTES = 8 << 20  # a power of two from 128 KiB to 64 MiB
ADAPTER_NAMESPACE = uuid.UUID("6f4a3d0e-2b57-4c1f-9c36-5d6f0a7be1c4")

_DEFAULT_MTU_BYTES = 1420
_MAX_RESTARTS = 3
_EXISTS = frozenset({ERROR_ALREADY_EXISTS, ERROR_FILE_EXISTS, ERROR_OBJECT_ALREADY_EXISTS})
_EXISTS_HINT = "an adapter of this name is left over or in use: wirefleet-agent doctor --fix"
_IN_USE_HINT = "another process holds this adapter: is the tunnel's service running already?"
_DRIVER_HINT = "the driver is not loaded; after a Windows update a reboot may be due: wirefleet-agent doctor"

_log = structlog.get_logger(room="drivers")


def adapter_guid(name: str) -> uuid.UUID:
    """The same for ever and on every host; names that Windows takes for equal give one GUID."""
    return uuid.uuid5(ADAPTER_NAMESPACE, unicodedata.normalize("NFC", name).casefold())


class WindowsTun:
    """See TunDriver. Makes the adapter ``name`` (or takes over the one that is there) and starts its session.

    The MTU is what the IP Helper set: tell it with ``set_link``, as well as up and down.
    """

    def __init__(self, name: str, *, mtu_bytes: int = _DEFAULT_MTU_BYTES, wintun: WintunApi) -> None:
        self.name = name
        self._wintun = wintun
        self._mtu_bytes = mtu_bytes
        self._session: WintunSession | None = None
        self._is_removed = False
        self._restarts = 0
        self._pending: list[LinkEvent] = []
        wintun.set_logger(self._pass_on)
        self._adapter = self._take_adapter()
        try:
            self.luid = wintun.adapter_luid(self._adapter)
            self._bell, self._events_bell = Doorbell(), Doorbell()
            self._start_session()
        except (Win32Error, DriverError, OSError) as error:
            wintun.close_adapter(self._adapter)
            if isinstance(error, Win32Error):
                raise error.as_driver_error(path=name) from error
            raise
        self._note(LinkEvent.UP)
        self._log_version()

    @property
    def mtu_bytes(self) -> int:
        return self._mtu_bytes

    @property
    def has_offloads(self) -> bool:
        return False

    @property
    def offloads(self) -> tuple[str, ...]:
        return ()

    def fileno(self) -> int:
        return self._bell.fileno()

    def events_fileno(self) -> int:
        return self._events_bell.fileno()

    def read_batch(self, batch: Batch) -> int:
        """See TunDriver. A ring that has come to harm is made anew; only if that does not help, it is an error."""
        batch.count = 0
        if self._is_removed:
            raise self._removed_error()
        if self._session is None:
            self._bell.silence()
            return 0
        try:
            count = self._session.read_batch(batch)
        except Win32Error as error:
            self._ring_failed(error)
            return 0
        if count:
            self._restarts = 0
        return count

    def write_packets(self, packets: Sequence[Buffer | list[Buffer]]) -> int:
        """See TunDriver."""
        if self._session is None or self._is_removed:
            return 0
        try:
            return self._session.write_packets(cast("Sequence[Buffer]", packets))
        except Win32Error as error:
            if error.code == ERROR_HANDLE_EOF:
                self._removed()
            return 0

    def set_link(self, *, is_up: bool | None = None, mtu_bytes: int | None = None) -> None:
        """The host's side of the interface changed: ``link_events`` tells. Raises DriverError when it stays down."""
        if mtu_bytes is not None and mtu_bytes != self._mtu_bytes:
            self._mtu_bytes = mtu_bytes
            self._note(LinkEvent.MTU_CHANGED)
        if is_up is None or self._is_removed or is_up == (self._session is not None):
            return
        if is_up:
            self._start_session()
        else:
            self._end_session()
        self._note(LinkEvent.UP if is_up else LinkEvent.DOWN)

    def link_events(self) -> list[LinkEvent]:
        """See TunDriver. That the adapter is gone is seen here even if no packet comes."""
        if self._session is not None and self._session.has_ended:
            self._removed()
        events, self._pending = self._pending, []
        self._events_bell.silence()
        return events

    def close(self) -> None:
        if self._adapter:
            self._end_session()
            self._wintun.close_adapter(self._adapter)
            self._wintun.set_logger(None)
            self._adapter = 0
            self._bell.close()
            self._events_bell.close()

    def _take_adapter(self) -> int:
        """Create it; Windows removes what a crashed process left, and what it did not remove is opened."""
        try:
            return self._wintun.create_adapter(self.name, TUNNEL_TYPE, adapter_guid(self.name))
        except Win32Error as error:
            if error.code not in _EXISTS:
                raise error.as_driver_error(path=self.name) from error
            try:
                adapter = self._wintun.open_adapter(self.name)
            except Win32Error:
                raise error.as_driver_error(path=self.name, hint=_EXISTS_HINT) from error
        _log.info("adapter_reused", tunnel=self.name)
        return adapter

    def _start_session(self) -> None:
        try:
            self._session = WintunSession(self._wintun, self._adapter, RING_BYTES, self._bell, self._events_bell)
        except Win32Error as error:
            hints = {
                ERROR_ALREADY_INITIALIZED: _IN_USE_HINT,
                ERROR_ALREADY_EXISTS: _IN_USE_HINT,
                ERROR_FILE_NOT_FOUND: _DRIVER_HINT,
                ERROR_NOT_FOUND: _DRIVER_HINT,
            }
            raise error.as_driver_error(path=self.name, hint=hints.get(error.code)) from error

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.end()
            self._session = None

    def _ring_failed(self, error: Win32Error) -> None:
        """Raises DriverError(call="read") unless a new session may help."""
        if error.code != ERROR_INVALID_DATA or self._restarts >= _MAX_RESTARTS:
            self._removed()
            raise error.as_driver_error(call="read", path=self.name) from error
        self._restarts += 1
        _log.warning("wintun_ring_restarted", tunnel=self.name, code=error.code)
        self._end_session()
        try:
            self._start_session()
        except DriverError as failure:
            self._removed()
            raise DriverError(
                failure.message, call="read", os_code=failure.os_code, path=self.name, hint=failure.hint
            ) from failure

    def _removed(self) -> None:
        if not self._is_removed:
            self._is_removed = True
            self._note(LinkEvent.REMOVED)
            self._bell.ring()

    def _removed_error(self) -> DriverError:
        return Win32Error("WintunReceivePacket", ERROR_HANDLE_EOF).as_driver_error(call="read", path=self.name)

    def _pass_on(self, level: int, line: str) -> None:
        """Why an adapter could not be made, the DLL tells only here; the code of the failure mostly says nothing."""
        tell = _log.debug if level == LOG_INFO else _log.warning
        tell("wintun", tunnel=self.name, message=line)

    def _note(self, event: LinkEvent) -> None:
        if not self._pending:
            self._events_bell.ring()
        self._pending.append(event)

    def _log_version(self) -> None:
        try:
            major, minor = self._wintun.driver_version()
        except Win32Error as error:
            _log.warning("wintun_version_unknown", tunnel=self.name, error=str(error))
        else:
            _log.info("wintun_loaded", tunnel=self.name, driver_version=f"{major}.{minor}", luid=self.luid)
