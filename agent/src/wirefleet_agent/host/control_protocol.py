# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What goes over the control socket: one JSON line each way, then the connection ends.

Request: ``{"verb": "config.apply", "request": {...}}``. Reply: ``{"reply": {...}}``, or ``{"error": {...}}`` with the
command line's error object, which becomes the same exception on the caller's side.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..errors import (
    ConfigError,
    DriverError,
    InternalError,
    NoQuorumError,
    RefusedError,
    UnreachableError,
    UsageError,
    WireFleetError,
)

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
CONNECTION_TIMEOUT_S = 10.0

Json = dict[str, object]

_CLASSES: Mapping[str, type[WireFleetError]] = {
    cls.code: cls for cls in (UsageError, ConfigError, UnreachableError, RefusedError, NoQuorumError, InternalError)
}


def encode(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode_request(line: bytes) -> tuple[str, Json]:
    """Raises UsageError for anything but a request."""
    try:
        message = json.loads(line)
        verb, request = message["verb"], message.get("request", {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError("this is not a request of the control protocol") from None
    if not isinstance(verb, str) or not isinstance(request, dict):
        raise UsageError("this is not a request of the control protocol")
    return verb, request


def decode_reply(line: bytes) -> Json:
    """The reply; raises the error that the daemon reported, UnreachableError for anything else."""
    try:
        message = json.loads(line)
        if "error" in message:
            raise _revived(message["error"])
        reply = message["reply"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreachableError("the daemon did not answer the request", hint="see its log") from error
    if not isinstance(reply, dict):
        raise UnreachableError("the daemon did not answer the request", hint="see its log")
    return reply


def error_message(error: WireFleetError) -> Json:
    """The reply that carries ``error``; a DriverError keeps its call and code."""
    fields: Json = dict(error.as_dict())
    if isinstance(error, DriverError):
        fields |= {"call": error.call, "os_code": error.os_code}
    return {"error": fields}


def _revived(fields: Mapping[str, object]) -> WireFleetError:
    message, path, hint = (fields.get(name) for name in ("message", "path", "hint"))
    where = None if path is None else str(path)
    what_to_do = None if hint is None else str(hint)
    if fields.get("code") == DriverError.code:
        os_code = fields.get("os_code")
        return DriverError(
            str(message),
            call=str(fields.get("call")),
            os_code=os_code if isinstance(os_code, int) else 0,
            path=where,
            hint=what_to_do,
        )
    return _CLASSES.get(str(fields.get("code")), InternalError)(str(message), path=where, hint=what_to_do)
