# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A descriptor for a selector that any thread can make readable."""

from __future__ import annotations

import contextlib
import socket

_PAIR_TRIES = 5
_READ_BYTES = 64


def signal_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected, non-blocking stream sockets: reader, writer.

    Windows has no anonymous pair, so Python connects two TCP sockets over loopback. There another process could get in
    between: such a pair is thrown away. And there TCP would hold a second byte back until the first is acknowledged.
    """
    for _ in range(_PAIR_TRIES):
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        if reader.family not in (socket.AF_INET, socket.AF_INET6):
            return reader, writer
        with contextlib.suppress(OSError):  # the other end of a stranger's may be gone already
            if reader.getpeername() == writer.getsockname() and writer.getpeername() == reader.getsockname():
                writer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return reader, writer
        reader.close()
        writer.close()
    raise ConnectionError("another process connects to our loopback sockets")


class Doorbell:
    """Readable from ``ring`` to ``silence``; ring it once per silence. The caller keeps the two apart."""

    def __init__(self) -> None:
        self._reader, self._writer = signal_pair()

    def fileno(self) -> int:
        return self._reader.fileno()

    def ring(self) -> None:
        with contextlib.suppress(OSError):  # full: it rings already; closed: nobody listens any more
            self._writer.send(b"\0")

    def silence(self) -> None:
        """Loopback is not at once: a byte that is still on its way is taken by the next call."""
        with contextlib.suppress(OSError):
            self._reader.recv(_READ_BYTES)

    def close(self) -> None:
        """Idempotent."""
        self._reader.close()
        self._writer.close()
