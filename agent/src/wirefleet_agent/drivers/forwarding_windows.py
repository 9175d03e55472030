# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""IP forwarding on Windows: a switch per interface and family, which is lost with the next boot.

A packet is forwarded if the interface that it comes in by forwards. So the switch is set on every connected interface
but loopback, and what was off before is put back at the end, also by the next process if this one is killed.
"""

from __future__ import annotations

from .iphelper import InterfaceSettings, IpHelperApi, IpInterface
from .iphelper_layouts import is_loopback
from .restore_file import RestoreFile
from .win32_errors import ERROR_FILE_NOT_FOUND, ERROR_NOT_FOUND, Win32Error

_OFF = "off"


class WindowsForwarding:
    """memory: where what we changed is noted; None: only in this process."""

    def __init__(self, api: IpHelperApi, memory: RestoreFile | None = None) -> None:
        self._api = api
        self._memory = memory
        self._changed: dict[str, str] = {} if memory is None else memory.load()

    def is_effective(self) -> bool:
        """Whether every interface that could forward does, whoever switched it on. Raises Win32Error."""
        candidates = self._candidates()
        return bool(candidates) and all(interface.is_forwarding for interface in candidates)

    def switch(self, is_on: bool) -> None:
        """Idempotent; on again takes in interfaces that have come since. Raises Win32Error, DriverError."""
        if is_on:
            self._switch_on()
        else:
            self._restore()

    def _switch_on(self) -> None:
        silent = [interface for interface in self._candidates() if not interface.is_forwarding]
        if not silent:
            return
        self._remember({**self._changed, **{_key(interface): _OFF for interface in silent}})
        for interface in silent:
            self._set(interface, is_forwarding=True)

    def _restore(self) -> None:
        """An interface that has gone needs nothing; one that somebody else switched off already, neither."""
        if not self._changed:
            return
        for interface in self._api.interfaces():
            if interface.is_forwarding and self._changed.get(_key(interface)) == _OFF:
                self._set(interface, is_forwarding=False)
        self._remember({})

    def _candidates(self) -> list[IpInterface]:
        return [known for known in self._api.interfaces() if known.is_connected and not is_loopback(known.luid)]

    def _set(self, interface: IpInterface, *, is_forwarding: bool) -> None:
        try:
            self._api.set_interface(interface.luid, interface.version, InterfaceSettings(is_forwarding=is_forwarding))
        except Win32Error as error:
            if error.code not in (ERROR_NOT_FOUND, ERROR_FILE_NOT_FOUND):  # it has gone since it was listed
                raise

    def _remember(self, changed: dict[str, str]) -> None:
        if self._memory is not None:
            if changed:
                self._memory.save(changed)
            else:
                self._memory.remove()
        self._changed = changed


def _key(interface: IpInterface) -> str:
    return f"{interface.luid:016x}/{interface.version}"
