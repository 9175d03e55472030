# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The cross-platform configuration protocol that wg(8) speaks (https://www.wireguard.com/xplatform/).

A connection carries requests, ``get=1`` or ``set=1`` with ``key=value`` lines, each ended by an empty line; each is
answered by lines and ``errno=N``. wireguard-go does a set line by line; here it is read whole and checked before any
of it is done, so a bad one changes nothing (checklist 44). No connection here: bytes in, changes and text out.
"""

from .errors import Errno, UapiError, errno_of
from .getting import render_get
from .requests import MAX_REQUEST_BYTES, GetRequest, RequestReader, SetRequest, render_reply
from .setting import parse_set

__all__ = [
    "MAX_REQUEST_BYTES",
    "Errno",
    "GetRequest",
    "RequestReader",
    "SetRequest",
    "UapiError",
    "errno_of",
    "parse_set",
    "render_get",
    "render_reply",
]
