# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Named pipes in memory: the rules of Windows that the driver relies on, without Windows."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field

from wirefleet_agent.drivers.pipe_windows import ADMINISTRATORS_SID, Caller

_BUFFER_BYTES = 64 * 1024


@dataclass
class _Direction:
    """Bytes on their way to one side."""

    data: bytearray = field(default_factory=bytearray)
    is_writer_gone: bool = False
    is_reader_gone: bool = False


class _Name:
    """One name and its instances that wait."""

    def __init__(self, owner_sid: str) -> None:
        self.owner_sid = owner_sid
        self.instances = 0
        self.waiting: list[MemoryPipeEnd] = []


class MemoryPipes:
    """See PipeApi. owner_sid: whom new names belong to."""

    def __init__(self, *, owner_sid: str = ADMINISTRATORS_SID) -> None:
        self.owner_sid = owner_sid
        self.is_caller_administrator = True
        self.condition = threading.Condition()
        self.names: dict[str, _Name] = {}
        self.descriptors: list[str] = []

    def create(self, name: str, sddl: str, *, is_first: bool) -> MemoryPipeEnd:
        with self.condition:
            known = self.names.get(name)
            if is_first and known is not None:
                raise PermissionError(13, "Access is denied", name)
            if known is None:
                known = self.names[name] = _Name(self.owner_sid)
            known.instances += 1
            self.descriptors.append(sddl)
            end = MemoryPipeEnd(self, name, known, incoming=_Direction(), outgoing=_Direction())
            known.waiting.append(end)
            self.condition.notify_all()
            return end

    def connect(self, name: str, timeout_s: float) -> MemoryPipeEnd:
        deadline = time.monotonic() + timeout_s
        with self.condition:
            while True:
                known = self.names.get(name)
                if known is None:
                    raise FileNotFoundError(2, "File not found", name)
                if known.waiting:
                    server = known.waiting.pop(0)
                    server.has_client = True
                    self.condition.notify_all()
                    return MemoryPipeEnd(self, name, None, incoming=server.outgoing, outgoing=server.incoming)
                if not self.condition.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError("all instances are busy")

    def caller(self) -> Caller:
        return Caller("S-1-5-21-1-2-3-1001", self.is_caller_administrator)


class MemoryPipeEnd:
    """See PipeInstance. served: the name whose instance this is; None on the client's side."""

    def __init__(
        self, pipes: MemoryPipes, name: str, served: _Name | None, *, incoming: _Direction, outgoing: _Direction
    ) -> None:
        self.incoming = incoming
        self.outgoing = outgoing
        self.has_client = False
        self.owner_sid = pipes.owner_sid
        self.client_pid = os.getpid()
        self._pipes = pipes
        self._condition = pipes.condition
        self._name = name
        self._served = served
        self._is_cancelled = False
        self._is_closed = False

    def wait_for_client(self) -> bool:
        with self._condition:
            self._condition.wait_for(lambda: self.has_client or self._is_cancelled)
            return self.has_client

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        incoming = self.incoming
        with self._condition:
            if not self._condition.wait_for(
                lambda: incoming.data or incoming.is_writer_gone or self._is_cancelled, timeout_s
            ):
                raise TimeoutError("silent")
            if self._is_cancelled:
                return b""
            data = bytes(incoming.data[:max_bytes])
            del incoming.data[: len(data)]
            self._condition.notify_all()
            return data

    def write(self, data: bytes, timeout_s: float) -> None:
        outgoing = self.outgoing
        deadline = time.monotonic() + timeout_s
        rest = data
        with self._condition:
            while rest:
                limit = min(deadline, time.monotonic() + 1.0) if self._is_cancelled else deadline
                if not self._condition.wait_for(
                    lambda: len(outgoing.data) < _BUFFER_BYTES or outgoing.is_reader_gone,
                    max(0.0, limit - time.monotonic()),
                ):
                    raise TimeoutError("it does not read")
                if outgoing.is_reader_gone:
                    raise BrokenPipeError(32, "No process is on the other end", self._name)
                space = _BUFFER_BYTES - len(outgoing.data)
                outgoing.data += rest[:space]
                rest = rest[space:]
                self._condition.notify_all()

    def cancel(self) -> None:
        with self._condition:
            self._is_cancelled = True
            self._condition.notify_all()

    def close(self) -> None:
        with self._condition:
            if self._is_closed:
                return
            self._is_closed = True
            self.outgoing.is_writer_gone = True
            self.incoming.is_reader_gone = True
            if self._served is not None:
                self._close_instance(self._served)
            self._condition.notify_all()

    def _close_instance(self, served: _Name) -> None:
        served.instances -= 1
        if self in served.waiting:
            served.waiting.remove(self)
        if not served.instances:
            del self._pipes.names[self._name]
