# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Bytes of a connection -> requests; text and errno -> a reply (checklist 40)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import Errno, UapiError

MAX_REQUEST_BYTES = 64 * 1024 * 1024
_OPERATIONS = (b"get=1\n", b"set=1\n")


@dataclass(frozen=True)
class GetRequest:
    """Tell everything."""


@dataclass(frozen=True)
class SetRequest:
    """body: the lines after ``set=1``, each with its newline, without the empty one. It holds secrets: never log it."""

    body: bytes = field(repr=False)


class RequestReader:
    """Cuts what arrives on one connection into requests and keeps what is not complete yet."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> Iterator[GetRequest | SetRequest]:
        """The requests that ``data`` completes, in order.

        Raises UapiError(PROTOCOL) while iterating, after the good ones, for an unknown operation or a request without
        an end: close the connection without an answer.
        """
        self._buffer += data
        return self._requests()

    def _requests(self) -> Iterator[GetRequest | SetRequest]:
        while True:
            self._refuse_hopeless()
            end = self._buffer.find(b"\n\n", self._searched)
            if end < 0:
                self._searched = max(0, len(self._buffer) - 1)
                return
            request = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 2]
            self._searched = 0
            yield _request(request)

    def _refuse_hopeless(self) -> None:
        """What can never become a request is not waited for."""
        head = bytes(self._buffer[:6])
        if not any(operation.startswith(head) for operation in _OPERATIONS):
            raise UapiError("unknown operation", errno=Errno.PROTOCOL)
        if len(self._buffer) > MAX_REQUEST_BYTES:
            raise UapiError("a request without an end", errno=Errno.PROTOCOL)


def _request(text: bytes) -> GetRequest | SetRequest:
    body = text[6:]
    if text.startswith(b"set"):
        return SetRequest(body)
    if body:
        raise UapiError("a get has no lines", errno=Errno.PROTOCOL)
    return GetRequest()


def render_reply(errno: int, body: str = "") -> bytes:
    """errno: positive, 0 for success; it goes out negative."""
    return f"{body}errno={-errno}\n\n".encode("ascii")
