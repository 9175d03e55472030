# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Known answers from the standards, and agreement with second implementations."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from wirefleet_agent.crypto import (
    Aead,
    AuthenticationFailed,
    StaticIdentity,
    ZeroSharedSecret,
    blake2s,
    kdf,
    mac,
    macs_equal,
    open_cookie,
    public_key_of,
    seal_cookie,
)
from wirefleet_agent.keys import PrivateKey

# Points of small order on Curve25519: 0, 1, and one of order 8 (RFC 7748 6.1 wants the all-zero result refused).
SMALL_ORDER_POINTS = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


def test_blake2s_answers_as_in_rfc_7693() -> None:
    expected = "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"

    assert blake2s(b"abc").hex() == expected
    assert blake2s(b"a", b"", b"bc").hex() == expected


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("data", [b"", b"input", bytes(range(32)), bytes(1000)])
def test_kdf_is_hkdf_without_info(count: int, data: bytes) -> None:
    salt = bytes(range(100, 132))

    derived = HKDF(hashes.BLAKE2s(32), 32 * count, salt=salt, info=b"").derive(data)

    assert b"".join(kdf(count, salt, data)) == derived
    assert b"".join(kdf(count, bytearray(salt), memoryview(data))) == derived


def test_x25519_agrees_with_rfc_7748() -> None:
    bob = StaticIdentity(PrivateKey.from_hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    alice_public = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")

    assert bob.public_key.hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    assert public_key_of(bob.private_key) == bob.public_key
    assert bob.exchange(alice_public).hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


def test_x25519_iterated_a_thousand_times_agrees_with_rfc_7748() -> None:
    scalar = point = b"\x09" + bytes(31)

    for _ in range(1000):
        scalar, point = StaticIdentity(PrivateKey(scalar)).exchange(point), scalar

    assert scalar.hex() == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


# checklist 2
@pytest.mark.parametrize("point", SMALL_ORDER_POINTS, ids=lambda point: point[:4].hex())
def test_a_point_of_small_order_is_refused(point: bytes) -> None:
    identity = StaticIdentity(PrivateKey(bytes(range(32))))

    with pytest.raises(ZeroSharedSecret):
        identity.exchange(point)


SUNSCREEN = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip"
SUNSCREEN += b" for the future, sunscreen would be it."
KEY = bytes(range(0x80, 0xA0))
AAD = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")


def test_chacha20_poly1305_agrees_with_rfc_8439() -> None:
    sealed = Aead(KEY).encrypt(bytes.fromhex("070000004041424344454647"), SUNSCREEN, AAD)

    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"


def test_chacha20_poly1305_works_in_place() -> None:
    nonce = bytes(12)
    buffer = bytearray(SUNSCREEN + bytes(16))
    view = memoryview(buffer)

    Aead(KEY).encrypt_into(nonce, view[: len(SUNSCREEN)], None, view)
    assert bytes(buffer) == Aead(KEY).encrypt(nonce, SUNSCREEN, None)

    Aead(KEY).decrypt_into(nonce, view, None, view[: len(SUNSCREEN)])
    assert bytes(buffer[: len(SUNSCREEN)]) == SUNSCREEN


def test_xchacha20_poly1305_agrees_with_the_draft() -> None:
    nonce = bytes(range(0x40, 0x58))

    sealed = seal_cookie(KEY, nonce, SUNSCREEN, AAD)

    assert sealed[:16].hex() == "bd6d179d3e83d43b9576579493c0e939"
    assert sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49"
    assert open_cookie(KEY, nonce, sealed, AAD) == SUNSCREEN


def test_a_cookie_opens_only_with_the_mac1_it_answers() -> None:
    nonce = bytes(24)
    sealed = seal_cookie(KEY, nonce, b"c" * 16, b"m" * 16)

    with pytest.raises(AuthenticationFailed):
        open_cookie(KEY, nonce, sealed, b"n" * 16)


def test_macs_are_sixteen_bytes_keyed_and_compared() -> None:
    one = mac(KEY, b"message")

    assert len(one) == 16
    assert one == mac(KEY, b"mess", b"age")
    assert macs_equal(one, bytearray(one))
    assert not macs_equal(one, mac(AAD, b"message"))
