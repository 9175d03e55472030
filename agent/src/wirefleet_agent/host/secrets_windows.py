# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Secrets sealed by DPAPI, on top of the rights of their files.

What it is good for: a copy of the file (a backup, a share, a disk without the system's registry) tells nothing on
another machine. What it is not: an administrator of this machine can become SYSTEM, and SYSTEM opens everything.

Two scopes. A process of LocalSystem, which the service is, seals keys in that account's own scope: no other account
opens them, not even with a copy of the file on this machine. Anybody else seals in the machine's scope: an
administrator's own one normally fails in a WinRM session (a network logon has no user's master key) and would be of
no use to the service. In the machine's scope whoever has the file's bytes and runs on this machine can open it; the
purpose goes in as entropy, but that is no secret: there the file's rights are the protection. The service seals anew,
when it starts, the key that it finds in the machine's scope.
"""

from __future__ import annotations

import base64
import json
from typing import Protocol

from ..errors import DriverError, RefusedError
from .sealing import Audience

_FORMAT = 1
_START = b'{"wirefleet_sealed":'
_ENTROPY = "wirefleet v1 "


class DpapiApi(Protocol):
    """The calls to Windows. They raise OSError with ``winerror``."""

    def is_local_system(self) -> bool: ...

    def protect(self, secret: bytes, entropy: bytes, *, for_machine: bool) -> bytes: ...

    def unprotect(self, sealed: bytes, entropy: bytes) -> bytes: ...


class WindowsSealing:
    """See Sealing. The file is one JSON object: whom it is for, its label, and DPAPI's blob."""

    is_for_service = True

    def __init__(self, api: DpapiApi) -> None:
        self._api = api

    def seal(self, secret: bytes, purpose: str, audience: Audience, *, label: str = "") -> bytes:
        for_machine = audience is Audience.HOST or not self._api.is_local_system()
        try:
            sealed = self._api.protect(secret, _entropy(purpose), for_machine=for_machine)
        except OSError as error:
            raise DriverError(
                f"the secret cannot be sealed: {error.strerror or error}",
                call="CryptProtectData",
                os_code=getattr(error, "winerror", None) or 0,
            ) from error
        found = {
            "wirefleet_sealed": _FORMAT,
            "for": (Audience.HOST if for_machine else Audience.SERVICE).value,
            "label": label,
            "dpapi": base64.b64encode(sealed).decode("ascii"),
        }
        return json.dumps(found, separators=(",", ":")).encode("ascii") + b"\r\n"

    def unseal(self, content: bytes, purpose: str) -> bytes:
        if not _is_sealed(content):
            return content
        fields = _fields(content)
        try:
            return self._api.unprotect(base64.b64decode(fields["dpapi"], validate=True), _entropy(purpose))
        except ValueError as error:
            raise _damaged() from error
        except OSError as error:
            if fields["for"] == Audience.SERVICE.value and not self._api.is_local_system():
                raise RefusedError(
                    "this is sealed for the tunnel's service", hint="start the service: only it can open this"
                ) from error
            raise RefusedError(
                f"DPAPI does not open this: {error.strerror or error}",
                hint="it was sealed on another machine, or for something else; rotate the key, or apply again",
            ) from error

    def label(self, content: bytes) -> str:
        return _fields(content)["label"] if _is_sealed(content) else ""

    def is_due(self, content: bytes) -> bool:
        if not self._api.is_local_system():
            return False
        return not _is_sealed(content) or _fields(content)["for"] != Audience.SERVICE.value


def _entropy(purpose: str) -> bytes:
    """Without case, as file names are."""
    return (_ENTROPY + purpose.casefold()).encode()


def _is_sealed(content: bytes) -> bool:
    return content.startswith(_START)


def _fields(content: bytes) -> dict[str, str]:
    try:
        found = json.loads(content)
        if found["wirefleet_sealed"] != _FORMAT:
            raise RefusedError("this was sealed by a newer version of the agent")
        return {name: str(found[name]) for name in ("for", "label", "dpapi")}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged() from error


def _damaged() -> RefusedError:
    return RefusedError("this sealed file is damaged", hint="restore it from a backup, or make a new key")
