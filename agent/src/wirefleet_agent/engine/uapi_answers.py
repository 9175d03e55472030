# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A UAPI request -> its reply, whatever it came through: wg(8)'s socket or wg.exe's pipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import structlog

from ..control import Applier
from ..control.uapi import GetRequest, SetRequest, errno_of, parse_set, render_get, render_reply
from ..errors import WireFleetError
from .collector import making_peers
from .loop import Loop
from .tunnel import Tunnel

CHUNK_BYTES = 256 * 1024
IDLE_TIMEOUT_S = 30.0

_log = structlog.get_logger(room="engine")


class UapiListener(Protocol):
    """What serves the UAPI of one tunnel on this platform."""

    def start(self) -> None:
        """Raises DriverError."""

    def stop(self) -> None:
        """Idempotent."""


class UapiAnswers:
    """Answers get and set for one tunnel, on the loop's thread, so that no packet sees half of a set."""

    def __init__(self, loop: Loop, tunnel: Tunnel, applier: Applier) -> None:
        self._loop = loop
        self._tunnel = tunnel
        self._applier = applier

    def answer(self, request: GetRequest | SetRequest) -> Iterator[bytes]:
        """The reply in pieces, each to be asked for in a turn of its own: ten thousand peers take a while to describe.

        The last piece alone ends with an empty line. A set is made, all of it, with its only piece.
        """
        if isinstance(request, GetRequest):
            for text in render_get(self._tunnel.device, self._tunnel):
                yield text.encode("ascii")
            yield render_reply(0)
        else:
            yield self._set(request)

    def _set(self, request: SetRequest) -> bytes:
        try:
            with making_peers(request.body.count(b"\npublic_key=") + request.body.count(b"\nallowed_ip=")):
                changes = parse_set(request.body, self._tunnel.device)
                applied = self._applier.apply(changes, self._loop.now())
        except WireFleetError as error:
            _log.warning("uapi_set_refused", tunnel=self._tunnel.name, error=str(error))
            return render_reply(errno_of(error))
        finally:
            self._tunnel.flush()
        _log.debug("uapi_set", tunnel=self._tunnel.name, changes=len(applied.changes))
        return render_reply(0)
