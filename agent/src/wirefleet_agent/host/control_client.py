# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Ask the running daemon of a tunnel."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Protocol

from ..errors import UnreachableError
from .control_protocol import Json, decode_reply, encode
from .paths import TunnelPaths

DEFAULT_TIMEOUT_S = 60.0


class ControlTransport(Protocol):
    """Carries one line to the daemon and one back. address: for messages."""

    address: str

    def exchange(self, message: bytes, timeout_s: float) -> bytes | None:
        """The answer as far as it came; None if no daemon listens. Raises UnreachableError if it hangs."""


class ControlClient:
    """Calls one daemon."""

    def __init__(self, transport: ControlTransport, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._transport = transport
        self._timeout_s = timeout_s

    def try_call(self, verb: str, request: Mapping[str, object] | None = None) -> Json | None:
        """The reply; None if no daemon listens. Raises the daemon's own errors, UnreachableError if it hangs."""
        message = encode({"verb": verb, "request": dict(request or {})})
        answer = self._transport.exchange(message, self._timeout_s)
        return None if answer is None else decode_reply(answer)

    def call(self, verb: str, request: Mapping[str, object] | None = None) -> Json:
        """Like ``try_call``, but raises UnreachableError if no daemon listens."""
        reply = self.try_call(verb, request)
        if reply is None:
            raise UnreachableError(
                "the tunnel's daemon is not running", path=self._transport.address, hint="wirefleet-agent daemon start"
            )
        return reply


def control_of(tunnel: TunnelPaths, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> ControlClient:
    """The client of a tunnel's daemon on this platform."""
    if sys.platform == "win32":
        from ..drivers.pipe_windows import connect_pipe
        from .control_pipe import PipeTransport, control_pipe_name

        return ControlClient(PipeTransport(control_pipe_name(tunnel.name), connect_pipe), timeout_s=timeout_s)
    else:  # noqa: RET505  # mypy takes platforms apart by if and else
        from .control_posix import UnixTransport

        return ControlClient(UnixTransport(tunnel.socket), timeout_s=timeout_s)
