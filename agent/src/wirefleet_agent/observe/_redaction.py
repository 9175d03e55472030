# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The second fence around secrets in logs; the first one is that key types have no readable form.

A value is hidden when its *type* is secret, when the *name* it is logged under says so, or when a text holds a
``PrivateKey = ...`` line of a configuration (or its UAPI or JSON spelling).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from ..keys import PresharedKey, PrivateKey

REDACTED = "(redacted)"

_SECRET_NAME = re.compile(
    r"(private|preshared|secret|identity)_?keys?$|^psk|psk$|secret|passw|passphrase|token|confirm_id"
)
_SECRET_TEXT = re.compile(
    r"(?i)\b((?:private|preshared)_?key['\"]?\s*[=:]\s*['\"]?)(?!\(redacted\)|\(none\))[^\s'\",}]+"
)
_MAX_DEPTH = 12


def is_secret_name(name: str) -> bool:
    """True for names under which only secrets are kept (``private_key``, ``PresharedKey``, ``password`` ...)."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    return _SECRET_NAME.search(words) is not None


def redact(value: object, depth: int = 0) -> object:
    """A copy of ``value`` that is safe to log: plain JSON types, secrets replaced, other objects by their ``str``."""
    if isinstance(value, PrivateKey | PresharedKey):
        return REDACTED
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _SECRET_TEXT.sub(rf"\g<1>{REDACTED}", value)
    if depth >= _MAX_DEPTH:
        return "..."
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return redact(fields, depth + 1)
    if isinstance(value, Mapping):
        return {str(name): _redact_named(str(name), item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | set | frozenset) or type(value) is tuple:
        return [redact(item, depth + 1) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    return _SECRET_TEXT.sub(rf"\g<1>{REDACTED}", str(value))


def _redact_named(name: str, value: object, depth: int) -> object:
    return REDACTED if value is not None and is_secret_name(name) else redact(value, depth)


def redact_event(_logger: object, _method: str, event: Mapping[str, object]) -> dict[str, object]:
    """A structlog processor: every field of the event, whatever its depth, goes through ``redact``."""
    return {name: _redact_named(name, value, 0) for name, value in event.items()}
