# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One session of a Wintun adapter: its two rings, and the thread that waits for the first packet.

Wintun tells of packets by an event, a selector waits for sockets. So a thread waits for the event, takes one packet out
of the ring as proof, rings the doorbell and parks. The loop's thread then drains the ring itself and sends the waiter
back when it is empty. No packet crosses a thread or a queue of ours: what a busy loop leaves stays in Wintun's ring,
which is bounded, and there is one ring of the bell for a whole burst.

::

    waiting --event, and a packet or the end is there--> parked, the bell rings
    parked --the loop found the ring empty--> waiting

The shipped driver can lose a wake-up (stalls of seconds), so no wait is longer than 250 ms.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from ..wire.batch import Batch
from .doorbell import Doorbell
from .slot_memory import SlotMemory, copy_memory
from .win32_errors import ERROR_BUFFER_OVERFLOW, ERROR_HANDLE_EOF, ERROR_NO_MORE_ITEMS, Win32Error

WAIT_MS = 250
_JOIN_S = 5.0
_FIRST_VERSIONS = (4, 6)

LOG_INFO = 0  # WINTUN_LOGGER_LEVEL; warnings and errors are above
LogLine = Callable[[int, str], None]


class WintunApi(Protocol):
    """What we use of wintun.h. Handles and addresses are integers. Every failure is a Win32Error."""

    def set_logger(self, log: LogLine | None) -> None:
        """What the DLL has to say, and how bad it is; called from any thread."""

    def create_adapter(self, name: str, tunnel_type: str, guid: UUID) -> int: ...

    def open_adapter(self, name: str) -> int: ...

    def close_adapter(self, adapter: int) -> None:
        """An adapter that was created goes away; one that was opened stays with its owner."""

    def adapter_luid(self, adapter: int) -> int: ...

    def driver_version(self) -> tuple[int, int]: ...

    def start_session(self, adapter: int, capacity_bytes: int) -> int: ...

    def end_session(self, session: int) -> None: ...

    def read_wait_event(self, session: int) -> int:
        """Belongs to the session."""

    def wait(self, event: int, timeout_ms: int) -> None:
        """Until the event is set or the time is over, whichever comes first."""

    def set_event(self, event: int) -> None: ...

    def receive_packet(self, session: int) -> tuple[int, int]:
        """(address, size) of the next packet, ours until it is released."""

    def release_packet(self, session: int, address: int) -> None: ...

    def allocate_packet(self, session: int, size: int) -> int:
        """The address of room in the send ring."""

    def send_packet(self, session: int, address: int) -> None: ...


class WintunSession:
    """Packets of one session. One thread calls; the waiter is the only other one and this class's own.

    bell: rings while packets wait. events_bell: rings once when the waiter finds the adapter gone (``has_ended``).
    Raises Win32Error in the constructor when the session cannot be started.
    """

    def __init__(
        self, wintun: WintunApi, adapter: int, capacity_bytes: int, bell: Doorbell, events_bell: Doorbell
    ) -> None:
        self._wintun = wintun
        self._handle = wintun.start_session(adapter, capacity_bytes)
        self._event = wintun.read_wait_event(self._handle)
        self._bell = bell
        self._events_bell = events_bell
        self.has_ended = False
        self._lock = threading.Lock()
        self._held: tuple[int, int] | None = None
        self._is_parked = False
        self._is_ending = False
        self._go = threading.Lock()
        self._go.acquire()
        self._memory = SlotMemory()
        self._thread = threading.Thread(target=self._wait_for_packets, name="wintun-waiter", daemon=True)
        self._thread.start()

    def read_batch(self, batch: Batch) -> int:
        """Fill ``batch`` from the ring; 0 and a silent bell when it is empty. Raises Win32Error when the ring ends."""
        with self._lock:
            count = self._drain(batch)
            if count < batch.capacity:
                self._bell.silence()
                if self._is_parked:
                    self._is_parked = False
                    self._go.release()
        return count

    def write_packets(self, packets: Sequence[bytes | bytearray | memoryview]) -> int:
        """What is no IP packet, and what a full ring has no room for, is not taken. Raises Win32Error."""
        handle, allocate, send = self._handle, self._wintun.allocate_packet, self._wintun.send_packet
        taken = 0
        for packet in packets:
            size = len(packet)
            if not size or packet[0] >> 4 not in _FIRST_VERSIONS:
                continue
            try:
                address = allocate(handle, size)
            except Win32Error as error:
                if error.code == ERROR_BUFFER_OVERFLOW:
                    break  # Windows does not keep up: as on a link that is full, the rest is lost
                raise
            copy_memory(address, bytes(packet), size)
            send(handle, address)
            taken += 1
        return taken

    def end(self) -> None:
        """Once. The waiter first: the event ends with the session."""
        with self._lock:
            self._is_ending = True
            self._wintun.set_event(self._event)
            if self._is_parked:
                self._is_parked = False
                self._go.release()
        self._thread.join(_JOIN_S)
        self._wintun.end_session(self._handle)

    def _drain(self, batch: Batch) -> int:
        """Take from the ring what fits into the batch. An error waits for the next call if there are packets first."""
        wintun, handle, lengths = self._wintun, self._handle, batch.lengths
        receive, release = wintun.receive_packet, wintun.release_packet
        rooms, room = self._memory.rooms_of(batch), batch.stride - batch.headroom
        batch.count = count = 0
        try:
            for slot_address in rooms:
                address, size = self._held or receive(handle)
                self._held = None
                size = min(size, room)  # the length in its IP header then tells that it was cut
                copy_memory(slot_address, address, size)
                release(handle, address)
                lengths[count] = size
                count += 1
        except Win32Error as error:
            if error.code != ERROR_NO_MORE_ITEMS and not count:
                raise
        batch.count = count
        return count

    def _wait_for_packets(self) -> None:
        while not self._is_ending:
            self._wintun.wait(self._event, WAIT_MS)
            with self._lock:
                if self._is_ending or not self._has_something():
                    continue
                self._is_parked = True
                self._bell.ring()
            self._go.acquire()

    def _has_something(self) -> bool:
        """A packet, which is kept for the reader, or an error, which the reader will meet as well."""
        if self._held is None:
            try:
                self._held = self._wintun.receive_packet(self._handle)
            except Win32Error as error:
                if error.code == ERROR_HANDLE_EOF:
                    self.has_ended = True
                    self._events_bell.ring()
                return error.code != ERROR_NO_MORE_ITEMS
        return True
