# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A recording WintunApi: adapters, sessions and rings in memory, with the errors that wintun.h documents.

``calls`` are all calls but those per packet. ``fail`` makes the next calls of one name fail with Win32 codes.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable
from uuid import UUID

from wirefleet_agent.drivers.win32_errors import (
    ERROR_BUFFER_OVERFLOW,
    ERROR_HANDLE_EOF,
    ERROR_INVALID_PARAMETER,
    ERROR_NO_MORE_ITEMS,
    Win32Error,
)

LUID = 0x35000000000000
MAX_WAIT_MS = 250
_MAX_PACKET_BYTES = 65535


class FakeWintun:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.delivered: list[bytes] = []
        self.version = (0, 14)
        self.log: Callable[[int, str], None] | None = None
        self.is_full = False
        self.misuse: list[str] = []
        self._failures: dict[str, deque[int]] = {}
        self._waiting: deque[bytes] = deque()
        self._rooms: dict[int, ctypes.Array[ctypes.c_char]] = {}
        self._events: dict[int, threading.Event] = {}
        self._session = 0
        self._next_handle = 100
        self._is_gone = False

    # The test's side

    def fail(self, call: str, *codes: int) -> None:
        self._failures.setdefault(call, deque()).extend(codes)

    def inject(self, *packets: bytes, is_silent: bool = False) -> None:
        """The host routes packets into the interface. is_silent: the driver forgets to wake the reader."""
        if self._session:
            self._waiting.extend(packets)
            if not is_silent:
                self._ring()

    def remove(self) -> None:
        """Somebody deletes the adapter."""
        self._is_gone = True
        self._ring()

    def named(self, call: str) -> list[tuple[object, ...]]:
        return [entry for entry in self.calls if entry[0] == call]

    @property
    def held_packets(self) -> int:
        """Taken from a ring and not yet given back."""
        return len(self._rooms)

    # WintunApi

    def set_logger(self, log: Callable[[int, str], None] | None) -> None:
        self.log = log

    def create_adapter(self, name: str, tunnel_type: str, guid: UUID) -> int:
        self._enter("create_adapter", name, tunnel_type, guid)
        return self._handle()

    def open_adapter(self, name: str) -> int:
        self._enter("open_adapter", name)
        return self._handle()

    def close_adapter(self, adapter: int) -> None:
        self._enter("close_adapter", adapter)

    def adapter_luid(self, adapter: int) -> int:
        return LUID

    def driver_version(self) -> tuple[int, int]:
        self._enter("driver_version")
        return self.version

    def start_session(self, adapter: int, capacity_bytes: int) -> int:
        self._enter("start_session", adapter, capacity_bytes)
        self._session = self._handle()
        self._events[self._session] = threading.Event()
        self._waiting.clear()
        return self._session

    def end_session(self, session: int) -> None:
        self._enter("end_session", session)
        self._rooms.clear()
        self._events.pop(session)
        self._session = 0

    def read_wait_event(self, session: int) -> int:
        return session

    def wait(self, event: int, timeout_ms: int) -> None:
        found = self._events.get(event)
        if found is None or not 0 < timeout_ms <= MAX_WAIT_MS:
            self.misuse.append(f"wait for {event} of {sorted(self._events)}, {timeout_ms} ms")
            return
        if found.wait(timeout_ms / 1000):
            found.clear()

    def set_event(self, event: int) -> None:
        self._events[event].set()

    def receive_packet(self, session: int) -> tuple[int, int]:
        self._fail_if_told("receive_packet")
        if self._is_gone:
            raise Win32Error("WintunReceivePacket", ERROR_HANDLE_EOF)
        if not self._waiting:
            raise Win32Error("WintunReceivePacket", ERROR_NO_MORE_ITEMS)
        packet = self._waiting.popleft()
        return self._room(len(packet), packet), len(packet)

    def release_packet(self, session: int, address: int) -> None:
        del self._rooms[address]

    def allocate_packet(self, session: int, size: int) -> int:
        self._fail_if_told("allocate_packet")
        if self._is_gone:
            raise Win32Error("WintunAllocateSendPacket", ERROR_HANDLE_EOF)
        if self.is_full:
            raise Win32Error("WintunAllocateSendPacket", ERROR_BUFFER_OVERFLOW)
        if not 0 < size <= _MAX_PACKET_BYTES:
            raise Win32Error("WintunAllocateSendPacket", ERROR_INVALID_PARAMETER)
        return self._room(size)

    def send_packet(self, session: int, address: int) -> None:
        self.delivered.append(self._rooms.pop(address).raw)

    def _enter(self, call: str, *arguments: object) -> None:
        self.calls.append((call, *arguments))
        self._fail_if_told(call)

    def _fail_if_told(self, call: str) -> None:
        if self._failures.get(call):
            raise Win32Error(f"Wintun.{call}", self._failures[call].popleft())

    def _room(self, size: int, content: bytes = b"") -> int:
        room = ctypes.create_string_buffer(content, size)
        self._rooms[ctypes.addressof(room)] = room
        return ctypes.addressof(room)

    def _handle(self) -> int:
        self._next_handle += 1
        return self._next_handle

    def _ring(self) -> None:
        if self._session:
            self._events[self._session].set()
