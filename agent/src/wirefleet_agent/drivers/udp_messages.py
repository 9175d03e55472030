# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Batches through WSASendMsg and WSARecvMsg: every structure is made once and used again.

Per datagram there is one call and nothing is allocated by us: structures point into the batch, addresses that were seen
before are looked up by their bytes.
"""

from __future__ import annotations

import ctypes
from typing import Protocol

from ..wire.batch import Batch
from ..wire.endpoint import Endpoint, LocalAddress
from .slot_memory import SlotMemory
from .win32_errors import WSAEWOULDBLOCK, Win32Error
from .winsock_layouts import (
    CONTROL_BYTES,
    SOCKADDR_BYTES,
    WsaBuf,
    WsaMsg,
    pack_control,
    pack_segment_size,
    pack_sockaddr,
    pack_source,
    unpack_local,
    unpack_sockaddr,
)

_CACHE_ENTRIES = 4096
_SEGMENT_SIZES = 8
_BUF_BYTES = ctypes.sizeof(WsaBuf)


class WinSocket(Protocol):
    """One UDP socket. ``message`` is the address of a WSAMSG. Every failure is a Win32Error with the WSA code."""

    def fileno(self) -> int: ...

    @property
    def port(self) -> int: ...

    def set_option(self, level: int, name: int, value: int) -> None: ...

    def switch_off(self, control_code: int) -> None:
        """WSAIoctl with FALSE."""

    def bind(self, port: int) -> None:
        """To all addresses of the socket's family."""

    def receive(self, message: int) -> int: ...

    def send(self, message: int) -> int: ...

    def wait_writable(self, timeout_s: float) -> bool: ...

    def close(self) -> None: ...


class Inbox:
    """Receives datagrams with their source and the local address they came to."""

    def __init__(self) -> None:
        self.errors = 0
        self._memory = SlotMemory()
        self._name = (ctypes.c_char * SOCKADDR_BYTES)()
        self._control = (ctypes.c_char * CONTROL_BYTES)()
        self._buffer = WsaBuf()
        self._message = WsaMsg(
            name=ctypes.addressof(self._name), buffers=ctypes.addressof(self._buffer), buffer_count=1
        )
        self._message.control.address = ctypes.addressof(self._control)
        self._sources: dict[bytes, Endpoint] = {}
        self._locals: dict[bytes, LocalAddress | None] = {}

    def receive_batch(self, sock: WinSocket, batch: Batch) -> int:
        """Take datagrams until there are no more or the batch is full; errors and datagrams too long are skipped."""
        rooms, lengths, endpoints, locals_ = self._memory.rooms_of(batch), batch.lengths, batch.endpoints, batch.locals
        message, buffer, control = self._message, self._buffer, self._message.control
        sources, known_locals, receive = self._sources, self._locals, sock.receive
        name, control_data, address = self._name, self._control, ctypes.addressof(self._message)
        buffer.length = batch.stride - batch.headroom
        count = 0
        for _ in rooms:
            buffer.address = rooms[count]
            message.name_bytes = SOCKADDR_BYTES
            message.flags = 0
            control.length = CONTROL_BYTES
            try:
                lengths[count] = receive(address)
            except Win32Error as error:
                if error.code == WSAEWOULDBLOCK:
                    break
                self.errors += 1
                continue
            key = name.raw[: message.name_bytes]
            endpoints[count] = sources.get(key) or self._source(key)
            key = control_data.raw[: control.length]
            locals_[count] = known_locals[key] if key in known_locals else self._local(key)
            count += 1
        batch.count = count
        return count

    def _source(self, name: bytes) -> Endpoint:
        if len(self._sources) >= _CACHE_ENTRIES:
            self._sources.clear()
        endpoint = self._sources[name] = unpack_sockaddr(name)
        return endpoint

    def _local(self, control: bytes) -> LocalAddress | None:
        if len(self._locals) >= _CACHE_ENTRIES:
            self._locals.clear()
        local = self._locals[control] = unpack_local(control)
        return local


class SlotBuffers:
    """For each slot of a batch a WSABUF, side by side, so that one send can take several slots."""

    def __init__(self) -> None:
        self._memory = SlotMemory()
        self._known: dict[int, tuple[list[int], list[WsaBuf], int]] = {}

    def of(self, batch: Batch) -> tuple[list[WsaBuf], int]:
        """(buffers, address of the first); the caller sets the lengths."""
        rooms = self._memory.rooms_of(batch)
        known = self._known.get(id(batch))
        if known is None or known[0] is not rooms:
            array = (WsaBuf * batch.capacity)(*(WsaBuf(0, room) for room in rooms))
            self._known = {key: value for key, value in self._known.items() if self._memory.knows(key)}
            known = self._known[id(batch)] = (rooms, list(array), ctypes.addressof(array))
        return known[1], known[2]


class Message:
    """A WSAMSG that is sent again and again; its buffers are set by ``take``."""

    def __init__(self, name: bytes, *control: tuple[int, int, bytes]) -> None:
        data = pack_control(*control)
        self._name = ctypes.create_string_buffer(name, len(name))
        self._control = ctypes.create_string_buffer(data, max(1, len(data)))
        self._message = WsaMsg(name=ctypes.addressof(self._name), name_bytes=len(name), buffer_count=1)
        if data:
            self._message.control.length = len(data)
            self._message.control.address = ctypes.addressof(self._control)
        self.address = ctypes.addressof(self._message)

    def take(self, first_buffer: int, count: int = 1) -> int:
        """Send these buffers next; returns the message's address."""
        self._message.buffers = first_buffer
        self._message.buffer_count = count
        return self.address


class Way:
    """How to reach one endpoint from one local address."""

    __slots__ = ("_name", "_segmented", "_source", "message", "socket")

    def __init__(self, sock: WinSocket, endpoint: Endpoint, local: LocalAddress | None) -> None:
        self.socket = sock
        self._name = pack_sockaddr(endpoint)
        self._source = pack_source(endpoint, local) if local else None
        self._segmented: dict[int, Message] = {}
        self.message = Message(self._name, *self._controls)

    @property
    def has_source(self) -> bool:
        return self._source is not None

    def segmented(self, size: int) -> Message:
        """The message that the stack cuts into datagrams of ``size`` bytes."""
        known = self._segmented.get(size)
        if known is None:
            if len(self._segmented) >= _SEGMENT_SIZES:
                self._segmented.clear()
            known = self._segmented[size] = Message(self._name, *self._controls, pack_segment_size(size))
        return known

    @property
    def _controls(self) -> tuple[tuple[int, int, bytes], ...]:
        return () if self._source is None else (self._source,)


def slot_address(first_buffer: int, slot: int) -> int:
    """The address of a slot's WSABUF."""
    return first_buffer + slot * _BUF_BYTES
