# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The head of an HTTP/1.x request -> the status of its answer. Nothing else of HTTP is spoken here (RFC 9110, 9112)."""

from __future__ import annotations

import re
from enum import Enum

END_OF_HEAD = b"\r\n\r\n"
MAX_HEAD_BYTES = 8192

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[\t\x20-\x7e\x80-\xff]*")
_ABSOLUTE = re.compile(rb"(?i)https?://[^/?#]*")
_PATH = b"/metrics"


class Status(Enum):
    """The value is what stands in the status line."""

    OK = "200 OK"
    BAD_REQUEST = "400 Bad Request"
    NOT_FOUND = "404 Not Found"
    NOT_ALLOWED = "405 Method Not Allowed"
    UNAVAILABLE = "503 Service Unavailable"


def status_of(head: bytes) -> Status:
    """head: everything up to ``END_OF_HEAD``, without it. A body that may follow is not read: the answer closes."""
    first, *lines = head.split(b"\r\n")
    request = _REQUEST_LINE.fullmatch(first)
    fields = [_FIELD.fullmatch(line) for line in lines]
    if request is None or None in fields:
        return Status.BAD_REQUEST
    hosts = sum(field is not None and field[1].lower() == b"host" for field in fields)
    if hosts > 1 or (hosts == 0 and request[3] == b"1"):
        return Status.BAD_REQUEST
    target = request[2]
    path = _ABSOLUTE.sub(b"", target, count=1) if not target.startswith(b"/") else target
    if path.partition(b"?")[0] != _PATH:
        return Status.NOT_FOUND
    return Status.OK if request[1] == b"GET" else Status.NOT_ALLOWED


def answer_head(status: Status, *, content_type: str = "", length: int = 0) -> bytes:
    """The head of an answer, after which the connection ends."""
    lines = [f"HTTP/1.1 {status.value}", f"Content-Length: {length}", "Connection: close", "Cache-Control: no-store"]
    if content_type:
        lines += [f"Content-Type: {content_type}", "X-Content-Type-Options: nosniff"]
    if status is Status.NOT_ALLOWED:
        lines.append("Allow: GET")
    return "\r\n".join([*lines, "", ""]).encode("ascii")
