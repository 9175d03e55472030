# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to the server: Basic, and NTLM through pyspnego's pure Python acceptor.

Users come from a file with one user a line, `DOMAIN:USER:PASSWORD` or `USER:PASSWORD`; the domain is
empty for an account of the host itself. A password cannot hold a colon (pyspnego's format has no escape).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import spnego
import spnego.exceptions

from wirefleet_wsman.encryption import EncryptionError

T = TypeVar("T")

_NTLM_SIGNATURE = b"NTLMSSP\x00"
_USER_FILE_VARIABLE = "NTLM_USER_FILE"
# pyspnego takes the acceptor's users from the process's environment only, when a context is made and again
# when it is completed.
_ENVIRONMENT = threading.Lock()


class DeniedError(Exception):
    """The credentials were not accepted; the message is for the server's log, never for the client."""


class Users:
    """The accounts of a host. Account names are compared without regard to case, as Windows does."""

    def __init__(self, accounts: dict[tuple[str, str], str]) -> None:
        self._accounts = accounts

    @classmethod
    def read(cls, path: Path) -> Users:
        """Read the users file. Raises ValueError for a line that is not one of the two forms."""
        accounts: dict[tuple[str, str], str] = {}
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = line.split(":")
            if len(parts) == 2:
                parts.insert(0, "")
            if len(parts) != 3 or not parts[1] or not parts[2]:
                raise ValueError(f"{path}:{number}: expected DOMAIN:USER:PASSWORD or USER:PASSWORD")
            accounts[parts[0].casefold(), parts[1].casefold()] = parts[2]
        if not accounts:
            raise ValueError(f"{path}: no user in it")
        return cls(accounts)

    def accept_basic(self, credentials: str) -> str:
        """The user of a Basic authorization. Raises DeniedError."""
        try:
            text = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise DeniedError("malformed Basic credentials") from error
        name, _, password = text.partition(":")
        domain, _, user = name.rpartition("\\")
        domain = "" if domain == "." else domain
        expected = self._accounts.get((domain.casefold(), user.casefold()))
        known = expected is not None
        if not hmac.compare_digest((expected or "").encode(), password.encode()) or not known:
            raise DeniedError(f"wrong user or password for {name!r}")
        return name

    def write_ntlm_file(self, path: Path, computer: str) -> None:
        """Write the accounts as pyspnego reads them: a local account answers under every name of this host."""
        lines: list[str] = []
        for (domain, user), password in self._accounts.items():
            domains = (domain,) if domain else ("", ".", computer, "WORKSTATION")
            lines += [f"{name}:{user}:{password}" for name in domains]
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


class NtlmSession:
    """NTLM of one TCP connection: two steps, then the keys with which its messages are sealed.

    Channel bindings are not checked (Windows' default CbtHardeningLevel is Relaxed).
    """

    def __init__(self, user_file: Path) -> None:
        self._user_file = user_file
        self._context = self._with_users(
            lambda: spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
        )
        self.user = ""

    @property
    def is_complete(self) -> bool:
        """Whether the client has proven who it is."""
        return bool(self.user)

    def step(self, token: bytes) -> bytes:
        """Take the client's token, return the challenge; b"" when it is proven. Raises DeniedError."""
        if not token.startswith(_NTLM_SIGNATURE):
            raise DeniedError("only raw NTLM tokens are served, no SPNEGO wrapping and no Kerberos")
        try:
            answer = self._with_users(lambda: self._context.step(token))
        except (spnego.exceptions.SpnegoError, ValueError, IndexError, KeyError, struct.error) as error:
            raise DeniedError(f"NTLM refused: {type(error).__name__}") from error
        if self._context.complete:
            self.user = self._context.client_principal or "unknown"
        return answer or b""

    def seal(self, message: bytes) -> tuple[bytes, bytes]:
        """Signature and sealed message."""
        wrapped = self._context.wrap_winrm(message)
        return wrapped.header, wrapped.data

    def unseal(self, signature: bytes, sealed: bytes) -> bytes:
        """The message. Raises EncryptionError when it was altered or sealed in another session."""
        try:
            return self._context.unwrap_winrm(signature, sealed)
        except (spnego.exceptions.SpnegoError, ValueError, struct.error) as error:
            raise EncryptionError("the message cannot be unsealed with this connection's key") from error

    def _with_users(self, call: Callable[[], T]) -> T:
        with _ENVIRONMENT:
            os.environ[_USER_FILE_VARIABLE] = str(self._user_file)
            return call()
