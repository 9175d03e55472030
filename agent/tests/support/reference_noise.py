# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""WireGuard's handshake and transport a second time, straight from the paper's sections 5.4.1 to 5.4.7.

Nothing here comes from wirefleet_agent: where the two agree, they agree with the paper, not with themselves. C is the
paper's chaining key, H its hash, E the ephemeral key.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

INITIAL_C = hashlib.blake2s(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s").digest()
INITIAL_H = hashlib.blake2s(INITIAL_C + b"WireGuard v1 zx2c4 Jason@zx2c4.com").digest()


def hash_of(data: bytes) -> bytes:
    return hashlib.blake2s(data).digest()


def mac_of(key: bytes, data: bytes) -> bytes:
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def kdf(n: int, key: bytes, data: bytes) -> list[bytes]:
    """Tau_1 to Tau_n of the paper's Kdf_n."""

    def hmac_of(key: bytes, data: bytes) -> bytes:
        return hmac.new(key, data, hashlib.blake2s).digest()

    tau = [b""]
    secret = hmac_of(key, data)
    for i in range(1, n + 1):
        tau.append(hmac_of(secret, tau[-1] + bytes([i])))
    return tau[1:]


def dh(private: X25519PrivateKey, public: bytes) -> bytes:
    return private.exchange(X25519PublicKey.from_public_bytes(public))


def seal(key: bytes, counter: int, plaintext: bytes, authenticated: bytes = b"") -> bytes:
    return ChaCha20Poly1305(key).encrypt(bytes(4) + counter.to_bytes(8, "little"), plaintext, authenticated)


def unseal(key: bytes, counter: int, sealed: bytes, authenticated: bytes = b"") -> bytes:
    return ChaCha20Poly1305(key).decrypt(bytes(4) + counter.to_bytes(8, "little"), sealed, authenticated)


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """The subkey of XChaCha20 (draft-irtf-cfrg-xchacha 2.2)."""
    x = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))

    def rotate(value: int, bits: int) -> int:
        return (value << bits | value >> 32 - bits) & 0xFFFFFFFF

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for into, other, target, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[into] = (x[into] + x[other]) & 0xFFFFFFFF
            x[target] = rotate(x[target] ^ x[into], bits)

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for column in range(4):
            quarter(column, (column + 1) % 4 + 4, (column + 2) % 4 + 8, (column + 3) % 4 + 12)
    return struct.pack("<8I", *x[:4], *x[12:])


def xseal(key: bytes, nonce: bytes, plaintext: bytes, authenticated: bytes) -> bytes:
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plaintext, authenticated)


def xunseal(key: bytes, nonce: bytes, sealed: bytes, authenticated: bytes) -> bytes:
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).decrypt(bytes(4) + nonce[16:], sealed, authenticated)


def with_macs(message: bytes, receiver_static: bytes, cookie: bytes | None = None) -> bytes:
    """msg.mac1 and msg.mac2 (5.4.4) behind a message that ends where they begin."""
    message += mac_of(hash_of(b"mac1----" + receiver_static), message)
    return message + (bytes(16) if cookie is None else mac_of(cookie, message))


class ReferenceNoise:
    """One handshake between us (``private``) and ``remote`` (raw public key); afterwards send_key and receive_key."""

    def __init__(self, private: bytes, remote: bytes, random: Callable[[int], bytes], psk: bytes = bytes(32)) -> None:
        self.static = X25519PrivateKey.from_private_bytes(private)
        self.public = self.static.public_key().public_bytes_raw()
        self.remote = remote
        self.random = random
        self.psk = psk
        self.cookie: bytes | None = None
        self.local_index = self.remote_index = 0
        self.send_key = self.receive_key = b""

    def _mix(self, data: bytes) -> None:
        self.H = hash_of(self.H + data)

    def _new_ephemeral(self) -> bytes:
        self.E = X25519PrivateKey.from_private_bytes(self.random(32))
        public = self.E.public_key().public_bytes_raw()
        (self.C,) = kdf(1, self.C, public)
        self._mix(public)
        return public

    def create_initiation(self, stamp: bytes) -> bytes:
        """5.4.2. stamp: 12 bytes TAI64N."""
        self.C = INITIAL_C
        self.H = hash_of(INITIAL_H + self.remote)
        self.local_index = int.from_bytes(self.random(4), "little")
        ephemeral = self._new_ephemeral()
        self.C, key = kdf(2, self.C, dh(self.E, self.remote))
        static = seal(key, 0, self.public, self.H)
        self._mix(static)
        self.C, key = kdf(2, self.C, dh(self.static, self.remote))
        timestamp = seal(key, 0, stamp, self.H)
        self._mix(timestamp)
        header = b"\x01\0\0\0" + self.local_index.to_bytes(4, "little")
        return with_macs(header + ephemeral + static + timestamp, self.remote, self.cookie)

    def consume_initiation(self, message: bytes) -> bytes:
        """5.4.2 from the other side; returns the stamp."""
        assert len(message) == 148
        assert message[:4] == b"\x01\0\0\0"
        assert message[116:132] == mac_of(hash_of(b"mac1----" + self.public), message[:116])
        self.remote_index = int.from_bytes(message[4:8], "little")
        self.H = hash_of(INITIAL_H + self.public)
        self.remote_ephemeral = message[8:40]
        (self.C,) = kdf(1, INITIAL_C, self.remote_ephemeral)
        self._mix(self.remote_ephemeral)
        self.C, key = kdf(2, self.C, dh(self.static, self.remote_ephemeral))
        assert unseal(key, 0, message[40:88], self.H) == self.remote
        self._mix(message[40:88])
        self.C, key = kdf(2, self.C, dh(self.static, self.remote))
        stamp = unseal(key, 0, message[88:116], self.H)
        self._mix(message[88:116])
        return stamp

    def create_response(self) -> bytes:
        """5.4.3, to the initiation consumed before; the keys are there afterwards."""
        self.local_index = int.from_bytes(self.random(4), "little")
        ephemeral = self._new_ephemeral()
        (self.C,) = kdf(1, self.C, dh(self.E, self.remote_ephemeral))
        (self.C,) = kdf(1, self.C, dh(self.E, self.remote))
        self.C, tau, key = kdf(3, self.C, self.psk)
        self._mix(tau)
        empty = seal(key, 0, b"", self.H)
        self._mix(empty)
        header = struct.pack("<III", 2, self.local_index, self.remote_index)
        self.receive_key, self.send_key = kdf(2, self.C, b"")
        return with_macs(header + ephemeral + empty, self.remote, self.cookie)

    def consume_response(self, message: bytes) -> None:
        """5.4.3 from the initiator's side; raises InvalidTag on a wrong preshared key."""
        assert len(message) == 92
        kind, self.remote_index, receiver = struct.unpack("<III", message[:12])
        assert (kind, receiver) == (2, self.local_index)
        assert message[60:76] == mac_of(hash_of(b"mac1----" + self.public), message[:60])
        ephemeral = message[12:44]
        (self.C,) = kdf(1, self.C, ephemeral)
        self._mix(ephemeral)
        (self.C,) = kdf(1, self.C, dh(self.E, ephemeral))
        (self.C,) = kdf(1, self.C, dh(self.static, ephemeral))
        self.C, tau, key = kdf(3, self.C, self.psk)
        self._mix(tau)
        assert unseal(key, 0, message[44:60], self.H) == b""
        self.send_key, self.receive_key = kdf(2, self.C, b"")

    def seal_data(self, counter: int, plaintext: bytes) -> bytes:
        """5.4.6; the padding is the caller's."""
        return struct.pack("<IIQ", 4, self.remote_index, counter) + seal(self.send_key, counter, plaintext)

    def open_data(self, message: bytes) -> tuple[int, bytes]:
        """(counter, plaintext with its padding)."""
        kind, receiver, counter = struct.unpack("<IIQ", message[:16])
        assert (kind, receiver) == (4, self.local_index)
        return counter, unseal(self.receive_key, counter, message[16:])

    def create_cookie_reply(self, message: bytes, cookie: bytes) -> bytes:
        """5.4.7: the answer to an initiation or response of the remote."""
        nonce = self.random(24)
        sealed = xseal(hash_of(b"cookie--" + self.public), nonce, cookie, message[-32:-16])
        return b"\x03\0\0\0" + message[4:8] + nonce + sealed

    def consume_cookie_reply(self, reply: bytes, own_message: bytes) -> bytes:
        """5.4.7 from the other side: the cookie in the reply to our ``own_message``."""
        assert len(reply) == 64
        assert reply[:8] == b"\x03\0\0\0" + self.local_index.to_bytes(4, "little")
        key = hash_of(b"cookie--" + self.remote)
        self.cookie = xunseal(key, reply[8:32], reply[32:], own_message[-32:-16])
        return self.cookie
