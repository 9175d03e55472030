# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Private keys: born on this host, kept on this host.

One X25519 key per tunnel and one Ed25519 identity key per host, each alone in a private file of a private directory. On
Windows they are sealed as well: a tunnel's key for its service, with the public key as a label for everybody else; the
identity key for the host, since it signs before there is any service.

The identity key signs the tunnels' public keys, so that a controller which has once seen a host recognizes it.
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
from ..keys import KEY_BYTES, ClusterKey, PrivateKey, PublicKey
from .paths import Paths
from .private_files import create_private, make_private_dir, read_private, remove_file, write_private
from .sealing import Audience, Sealing, own_sealing

_NO_KEY_HINT = "restore it from a backup, or remove it and run: wirefleet-agent key ensure"
_IDENTITY = "identity"
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

    def __init__(self, paths: Paths, sealing: Sealing | None = None) -> None:
        self._paths = paths
        self._sealing = own_sealing() if sealing is None else sealing

    @property
    def is_for_service(self) -> bool:
        """Whether a key should be made by the tunnel's service, if one runs: it can seal it better."""
        return self._sealing.is_for_service

    def private_key(self, tunnel: str) -> PrivateKey | None:
        """The tunnel's key.

        Raises RefusedError for a file that others may read or that holds something else, and where only the service
        can open it.
        """
        path = self._paths.tunnel(tunnel).private_key
        content = read_private(path)
        if content is None:
            return None
        key = PrivateKey(self._opened(content, path, _purpose(tunnel)))
        if self._sealing.label(content) not in ("", str(public_key_of(key))):
            raise RefusedError("the public key in this file is another key's", path=str(path), hint=_NO_KEY_HINT)
        return key

    def public_key(self, tunnel: str) -> PublicKey | None:
        """Of the tunnel's key, also where that cannot be opened. Raises RefusedError as ``private_key``."""
        path = self._paths.tunnel(tunnel).private_key
        label = self._sealing.label(read_private(path) or b"")
        if not label:
            key = self.private_key(tunnel)
            return None if key is None else public_key_of(key)
        try:
            return PublicKey.from_base64(label)
        except ValueError as error:
            raise _not_a_key(path) from error

    def usable_key(self, tunnel: str) -> PrivateKey | None:
        """The tunnel's key; also None where it exists and only the service can open it."""
        try:
            return self.private_key(tunnel)
        except RefusedError:
            if self.public_key(tunnel) is None:
                raise
            return None

    def ensure(self, tunnel: str, *, check: bool = False) -> KeyReport:
        """A key exists afterwards; an existing one is never touched. check: report only."""
        found = self.public_key(tunnel)
        if found is not None or check:
            return self._report(tunnel, found, changed=found is None, check=check)
        make_private_dir(self._paths.state_dir)
        make_private_dir(self._paths.key_dir)
        key = PrivateKey(X25519PrivateKey.generate().private_bytes_raw())
        is_ours = create_private(self._paths.tunnel(tunnel).private_key, self._sealed(tunnel, key))
        # Another process may have been faster: its key counts.
        return self._report(tunnel, self.public_key(tunnel), changed=is_ours)

    def rotate(self, tunnel: str, *, check: bool = False) -> KeyReport:
        """A new key replaces the old one. Raises RefusedError if there is none yet. check: report only."""
        found = self._existing(tunnel)
        if not check:
            key = PrivateKey(X25519PrivateKey.generate().private_bytes_raw())
            self.restore(tunnel, key)
            found = public_key_of(key)
        return self._report(tunnel, found, changed=True, check=check)

    def restore(self, tunnel: str, key: PrivateKey) -> None:
        """Put a key back after a rotation that could not be applied."""
        write_private(self._paths.tunnel(tunnel).private_key, self._sealed(tunnel, key))

    def adopt(self, tunnel: str) -> bool:
        """Called by the tunnel's service: seal the key for it alone if it is not; whether that was due.

        Raises DriverError, RefusedError; the key is as before then.
        """
        content = read_private(self._paths.tunnel(tunnel).private_key)
        if content is None or not self._sealing.is_due(content):
            return False
        key = self.private_key(tunnel)
        if key is not None:
            self.restore(tunnel, key)
        return True

    def show(self, tunnel: str) -> KeyReport:
        """Raises RefusedError if there is no key."""
        return self._report(tunnel, self._existing(tunnel), changed=False)

    def remove(self, tunnel: str) -> bool:
        """The tunnel's keys are gone afterwards; True if there was a private key."""
        remove_file(self._paths.tunnel(tunnel).cluster_key)
        return remove_file(self._paths.tunnel(tunnel).private_key)

    def cluster_key(self, tunnel: str) -> ClusterKey | None:
        """What the hubs authenticate each other with; None on hosts that were never given one. Raises RefusedError."""
        path = self._paths.tunnel(tunnel).cluster_key
        content = read_private(path)
        return None if content is None else ClusterKey(self._opened(content, path, _cluster_purpose(tunnel)))

    def keep_cluster_key(self, tunnel: str, key: ClusterKey) -> bool:
        """It is this one from now on; whether it was not. It comes from the controller: every hub has the same."""
        if self.is_cluster_key(tunnel, key):
            return False
        make_private_dir(self._paths.state_dir)
        make_private_dir(self._paths.key_dir)
        content = self._sealing.seal(_encode(key.reveal_bytes()), _cluster_purpose(tunnel), Audience.HOST)
        write_private(self._paths.tunnel(tunnel).cluster_key, content)
        return True

    def is_cluster_key(self, tunnel: str, key: ClusterKey) -> bool:
        """Whether it is the one that is kept; what cannot be opened is another one."""
        try:
            return self.cluster_key(tunnel) == key
        except RefusedError:
            return False

    def _existing(self, tunnel: str) -> PublicKey:
        found = self.public_key(tunnel)
        if found is None:
            path = str(self._paths.tunnel(tunnel).private_key)
            raise RefusedError("this tunnel has no private key yet", path=path, hint="wirefleet-agent key ensure")
        return found

    def _report(self, tunnel: str, public_key: PublicKey | None, *, changed: bool, check: bool = False) -> KeyReport:
        if public_key is None:
            return KeyReport(changed, tunnel, None, None)
        return KeyReport(changed, tunnel, public_key, self._sign(tunnel, public_key, may_create=not check))

    def _sign(self, tunnel: str, public_key: PublicKey, *, may_create: bool) -> Identity | None:
        path = self._paths.identity_key
        content = read_private(path)
        if content is None and not may_create:
            return None
        if content is None:
            make_private_dir(self._paths.key_dir)
            raw = Ed25519PrivateKey.generate().private_bytes_raw()
            create_private(path, self._sealing.seal(_encode(raw), _IDENTITY, Audience.HOST))
            content = read_private(path)
        if content is None:
            raise RefusedError("the identity key vanished while it was made", path=str(path))
        identity = Ed25519PrivateKey.from_private_bytes(self._opened(content, path, _IDENTITY))
        return Identity(
            identity.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw),
            identity.sign(SIGNATURE_CONTEXT + tunnel.encode() + b"\0" + public_key.raw),
        )

    def _sealed(self, tunnel: str, key: PrivateKey) -> bytes:
        label = str(public_key_of(key))
        return self._sealing.seal(_encode(key.reveal_bytes()), _purpose(tunnel), Audience.SERVICE, label=label)

    def _opened(self, content: bytes, path: Path, purpose: str) -> bytes:
        try:
            encoded = self._sealing.unseal(content, purpose)
        except RefusedError as error:
            raise RefusedError(error.message, path=str(path), hint=error.hint) from error
        try:
            raw = base64.b64decode(encoded.strip(), validate=True)
        except ValueError:
            raw = b""
        if len(raw) != KEY_BYTES:
            raise _not_a_key(path)
        return raw


def _not_a_key(path: Path) -> RefusedError:
    return RefusedError("this is not a key: 44 base64 characters were expected", path=str(path), hint=_NO_KEY_HINT)


def _purpose(tunnel: str) -> str:
    return f"key {tunnel}"


def _cluster_purpose(tunnel: str) -> str:
    return f"cluster {tunnel}"


def _encode(raw: bytes) -> bytes:
    return base64.b64encode(raw) + b"\n"
