# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Private keys: born on this host, kept on this host.

One X25519 key per tunnel and one Ed25519 identity key per host, each alone in a 0600 file of a 0700 directory. The
identity key signs the tunnels' public keys, so that a controller which has once seen a host recognizes it.
``rotate`` replaces the key at once and keeps nothing of the old one: a rotation is undone by another rotation.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ..crypto import public_key_of
from ..errors import RefusedError
from ..keys import KEY_BYTES, PrivateKey, PublicKey
from .paths import Paths
from .private_files import create_private, make_private_dir, read_private, remove_file, write_private

SIGNATURE_CONTEXT = b"wirefleet key v1\0"


@dataclass(frozen=True)
class Identity:
    """Who vouches for a public key. public_key, signature: raw Ed25519 bytes (RFC 8032)."""

    public_key: bytes
    signature: bytes


@dataclass(frozen=True)
class KeyReport:
    """What may be known of a tunnel's key. public_key and identity: None if there is no key (check mode only)."""

    changed: bool
    tunnel: str
    public_key: PublicKey | None
    identity: Identity | None


class KeyStore:
    """The keys below one root. Every call reads the files anew: there is no copy that could be stale."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def private_key(self, tunnel: str) -> PrivateKey | None:
        """The tunnel's key. Raises RefusedError for a file that others may read or that holds something else."""
        return self._read(self._paths.tunnel(tunnel).private_key)

    def ensure(self, tunnel: str, *, check: bool = False) -> KeyReport:
        """A key exists afterwards; an existing one is never touched. check: report only."""
        key = self.private_key(tunnel)
        if key is not None or check:
            return self._report(tunnel, key, changed=key is None, check=check)
        make_private_dir(self._paths.state_dir)
        make_private_dir(self._paths.key_dir)
        key = PrivateKey(X25519PrivateKey.generate().private_bytes_raw())
        is_ours = create_private(self._paths.tunnel(tunnel).private_key, _encode(key.reveal_bytes()))
        # Another process may have been faster: its key counts.
        return self._report(tunnel, self.private_key(tunnel), changed=is_ours)

    def rotate(self, tunnel: str, *, check: bool = False) -> KeyReport:
        """A new key replaces the old one. Raises RefusedError if there is none yet. check: report only."""
        key = self._existing(tunnel)
        if not check:
            key = PrivateKey(X25519PrivateKey.generate().private_bytes_raw())
            write_private(self._paths.tunnel(tunnel).private_key, _encode(key.reveal_bytes()))
        return self._report(tunnel, key, changed=True, check=check)

    def restore(self, tunnel: str, key: PrivateKey) -> None:
        """Put a key back after a rotation that could not be applied."""
        write_private(self._paths.tunnel(tunnel).private_key, _encode(key.reveal_bytes()))

    def show(self, tunnel: str) -> KeyReport:
        """Raises RefusedError if there is no key."""
        return self._report(tunnel, self._existing(tunnel), changed=False)

    def remove(self, tunnel: str) -> bool:
        """The tunnel's key is gone afterwards; True if there was one."""
        return remove_file(self._paths.tunnel(tunnel).private_key)

    def _existing(self, tunnel: str) -> PrivateKey:
        key = self.private_key(tunnel)
        if key is None:
            path = str(self._paths.tunnel(tunnel).private_key)
            raise RefusedError("this tunnel has no private key yet", path=path, hint="wirefleet-agent key ensure")
        return key

    def _report(self, tunnel: str, key: PrivateKey | None, *, changed: bool, check: bool = False) -> KeyReport:
        if key is None:
            return KeyReport(changed, tunnel, None, None)
        public_key = public_key_of(key)
        return KeyReport(changed, tunnel, public_key, self._sign(tunnel, public_key, may_create=not check))

    def _sign(self, tunnel: str, public_key: PublicKey, *, may_create: bool) -> Identity | None:
        raw = self._read_raw(self._paths.identity_key)
        if raw is None and not may_create:
            return None
        if raw is None:
            make_private_dir(self._paths.key_dir)
            create_private(self._paths.identity_key, _encode(Ed25519PrivateKey.generate().private_bytes_raw()))
            raw = self._read_raw(self._paths.identity_key)
        if raw is None:
            raise RefusedError("the identity key vanished while it was made", path=str(self._paths.identity_key))
        identity = Ed25519PrivateKey.from_private_bytes(raw)
        return Identity(
            identity.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw),
            identity.sign(SIGNATURE_CONTEXT + tunnel.encode() + b"\0" + public_key.raw),
        )

    def _read(self, path: Path) -> PrivateKey | None:
        raw = self._read_raw(path)
        return None if raw is None else PrivateKey(raw)

    def _read_raw(self, path: Path) -> bytes | None:
        content = read_private(path)
        if content is None:
            return None
        try:
            raw = base64.b64decode(content.strip(), validate=True)
        except ValueError:
            raw = b""
        if len(raw) != KEY_BYTES:
            raise RefusedError(
                "this is not a key: 44 base64 characters were expected",
                path=str(path),
                hint="restore it from a backup, or remove it and run: wirefleet-agent key ensure",
            )
        return raw


def _encode(raw: bytes) -> bytes:
    return base64.b64encode(raw) + b"\n"
