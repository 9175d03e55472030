# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How secrets lie on disk: as they are, in a private file; or sealed as well where the platform can.

Sealed on Windows: ``secrets_windows`` says how, and what that is good for.
"""

from __future__ import annotations

import enum
import sys
from typing import Protocol


class Audience(enum.Enum):
    """Who must be able to open what is sealed."""

    SERVICE = "service"  # only the tunnel's service; also an administrator's session if there is no service to ask
    HOST = "host"  # every administrator on this host


class Sealing(Protocol):
    """Seals file contents. purpose: what the secret is for; another one does not open it."""

    is_for_service: bool
    """Whether what is sealed for the service differs from what is sealed for the host."""

    def seal(self, secret: bytes, purpose: str, audience: Audience, *, label: str = "") -> bytes:
        """The content of the file. label: a text that anybody who reads the file may know. Raises DriverError."""

    def unseal(self, content: bytes, purpose: str) -> bytes:
        """The secret; a content that was never sealed is one. Raises RefusedError where we cannot open it."""

    def label(self, content: bytes) -> str:
        """The label, without opening it; empty if there is none."""

    def is_due(self, content: bytes) -> bool:
        """Whether this process, if it is the service, can seal it better than it is."""


class NoSealing:
    """The file's owner and mode are the protection."""

    is_for_service = False

    def seal(self, secret: bytes, purpose: str, audience: Audience, *, label: str = "") -> bytes:
        return secret

    def unseal(self, content: bytes, purpose: str) -> bytes:
        return content

    def label(self, content: bytes) -> str:
        return ""

    def is_due(self, content: bytes) -> bool:
        return False


if sys.platform == "win32":

    def own_sealing() -> Sealing:
        """This platform's."""
        from .secrets_windows import WindowsSealing
        from .win32.dpapi import PywinDpapi

        return WindowsSealing(PywinDpapi())
else:

    def own_sealing() -> Sealing:
        """This platform's."""
        return NoSealing()
