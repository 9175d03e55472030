# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The daemon's side of the control channel: one request per connection, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from ..errors import InternalError, UsageError, WireFleetError
from ..observe import Logger
from .control_protocol import Json, decode_request, encode, error_message

Handler = Callable[[Mapping[str, object]], Json]
Answer = Callable[[bytes], bytes]


class ControlListener(Protocol):
    """Takes local callers who may administrate this tunnel, and nobody else."""

    def start(self, answer: Answer) -> None:
        """From now on each caller's line is given to ``answer``, on the loop's thread. Raises DriverError."""

    def stop(self) -> None:
        """Idempotent; called when the loop does not turn any more."""


class ControlServer:
    """Serves ``handlers`` to whoever the listener lets in."""

    def __init__(self, listener: ControlListener, logger: Logger) -> None:
        self._listener = listener
        self._logger = logger
        self.handlers: dict[str, Handler] = {}

    def start(self) -> None:
        """Raises DriverError."""
        self._listener.start(self.answer)

    def stop(self) -> None:
        """Idempotent."""
        self._listener.stop()

    def answer(self, line: bytes) -> bytes:
        """One request's reply. Our own mistakes become an answer too: the caller must not wait for the time-out."""
        try:
            verb, request = decode_request(line)
            handler = self.handlers.get(verb)
            if handler is None:
                raise UsageError(f"this daemon does not know {verb!r}", hint="is it of another version?")
            return encode({"reply": handler(request)})
        except WireFleetError as error:
            return encode(error_message(error))
        except Exception:  # the supervisor's door: logged, and the daemon lives on
            self._logger.exception("control_request_failed")
            return encode(error_message(InternalError("the daemon failed to serve the request", hint="see its log")))
