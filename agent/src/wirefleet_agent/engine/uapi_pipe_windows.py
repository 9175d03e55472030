# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The pipe that wg.exe speaks to: \\\\.\\pipe\\ProtectedPrefix\\Administrators\\WireGuard\\IFNAME.

Only administrators can make names below ProtectedPrefix\\Administrators. wg.exe takes a pipe for ours only if its owner
is SYSTEM, as when the service runs as SYSTEM; it opens the name in the ANSI code page, so a tunnel whose name this
cannot express is for wirefleet-agent only. Each connection has a thread; answers are made on the loop's thread.
Source: wireguard-tools, ipc-uapi-windows.h; wireguard-go, uapi_windows.go (read, not copied).
"""

from __future__ import annotations

from functools import partial

import structlog

from ..control import Applier
from ..control.uapi import RequestReader, UapiError
from ..drivers.pipe_windows import ADMINISTRATORS_ONLY, PipeApi, PipeConnection, PipeServer
from ..errors import DriverError, UnreachableError
from .loop import Loop
from .threads import LoopCalls
from .tunnel import Tunnel
from .uapi_answers import CHUNK_BYTES, IDLE_TIMEOUT_S, UapiAnswers

PREFIX = "\\\\.\\pipe\\ProtectedPrefix\\Administrators\\WireGuard\\"
SYSTEM_OWNED = "O:SYD:P(A;;GA;;;SY)(A;;GA;;;BA)"
ERROR_INVALID_OWNER = 1307

_MAX_CLIENTS = 16
_ANSWER_TIMEOUT_S = 10.0

_log = structlog.get_logger(room="engine")


class UapiPipeServer:
    """Answers get and set for one tunnel. api: the system's pipes, if not those of Windows."""

    def __init__(self, loop: Loop, tunnel: Tunnel, applier: Applier, *, api: PipeApi | None = None) -> None:
        self.name = PREFIX + tunnel.name
        self._loop = loop
        self._api = api
        self._answers = UapiAnswers(loop, tunnel, applier)
        self._calls: LoopCalls | None = None
        self._server: PipeServer | None = None

    def start(self) -> None:
        """Raises DriverError, mostly because another process serves this tunnel's name."""
        self._calls = LoopCalls(self._loop)
        try:
            self._server = self._started(SYSTEM_OWNED)
        except DriverError as error:
            if error.os_code != ERROR_INVALID_OWNER:
                raise
            _log.warning("uapi_pipe_not_owned_by_system", pipe=self.name, hint="wg.exe will not accept it")
            self._server = self._started(ADMINISTRATORS_ONLY)

    def stop(self) -> None:
        """Idempotent. From the loop's thread: requests that wait for it are given up first."""
        if self._server is None or self._calls is None:
            return
        self._calls.close()
        self._server.stop()
        self._server = None

    def _started(self, sddl: str) -> PipeServer:
        server = PipeServer(
            self.name,
            self._serve,
            sddl=sddl,
            max_clients=_MAX_CLIENTS,
            idle_timeout_s=IDLE_TIMEOUT_S,
            api=self._api,
        )
        server.start()
        return server

    def _serve(self, connection: PipeConnection) -> None:
        """In a thread of the connection. While a reply is on its way nothing more is read: no buffer grows."""
        calls, reader = self._calls, RequestReader()
        try:
            while calls is not None and (chunk := connection.read(CHUNK_BYTES)):
                for request in reader.feed(chunk):
                    pieces = self._answers.answer(request)
                    while piece := calls.call(partial(next, pieces, b""), _ANSWER_TIMEOUT_S):
                        connection.write(piece)
        except (UapiError, UnreachableError) as error:
            _log.debug("uapi_connection_closed", reason=str(error))
