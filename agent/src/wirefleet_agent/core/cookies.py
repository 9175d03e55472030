# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""mac1, mac2 and the cookies between them: denial-of-service protection (WireGuard paper 5.3, 5.4.4, 5.4.7).

mac1 proves that the sender knows our public key. Under load we answer with a cookie, a MAC over the sender's address
under a secret that lives two minutes; mac2, keyed with that cookie, then proves that the sender owns its address.
"""

from __future__ import annotations

from collections.abc import Callable

from ..crypto import AuthenticationFailed, blake2s, mac, macs_equal, open_cookie, seal_cookie
from ..keys import PublicKey
from ..wire import MAC1_OFFSET_FROM_END, MAC2_OFFSET_FROM_END, CookieReply, Endpoint
from .constants import COOKIE_LIFETIME_S, LABEL_COOKIE, LABEL_MAC1

_NO_MAC = bytes(16)
_NEVER = float("-inf")


class CookieChecker:
    """The receiving side, one per device: checks MACs against our own public key and hands out cookies."""

    __slots__ = ("_cookie_key", "_entropy", "_mac1_key", "_secret", "_secret_made_at")

    def __init__(self, public_key: PublicKey, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._mac1_key = blake2s(LABEL_MAC1, public_key.raw)
        self._cookie_key = blake2s(LABEL_COOKIE, public_key.raw)
        self._secret = b""
        self._secret_made_at = _NEVER

    def is_mac1_valid(self, message: bytes) -> bool:
        """message: a whole initiation or response."""
        view = memoryview(message)
        wanted = mac(self._mac1_key, view[:-MAC1_OFFSET_FROM_END])
        return macs_equal(wanted, view[-MAC1_OFFSET_FROM_END:-MAC2_OFFSET_FROM_END])

    def is_mac2_valid(self, message: bytes, source: Endpoint, now: float) -> bool:
        """Whether mac2 was made with a cookie that we gave to ``source`` and that still lives."""
        if now - self._secret_made_at >= COOKIE_LIFETIME_S:
            return False
        view = memoryview(message)
        wanted = mac(mac(self._secret, source.packed()), view[:-MAC2_OFFSET_FROM_END])
        return macs_equal(wanted, view[-MAC2_OFFSET_FROM_END:])

    def create_reply(self, message: bytes, sender_index: int, source: Endpoint, now: float) -> bytes:
        """The 64-byte cookie reply to ``message``; the secret is drawn anew every 120 s (checklist 26)."""
        if now - self._secret_made_at >= COOKIE_LIFETIME_S:
            self._secret = self._entropy(32)
            self._secret_made_at = now
        nonce = self._entropy(24)
        mac1 = message[-MAC1_OFFSET_FROM_END:-MAC2_OFFSET_FROM_END]
        cookie = mac(self._secret, source.packed())
        return CookieReply(sender_index, nonce, seal_cookie(self._cookie_key, nonce, cookie, mac1)).build()


class CookieGenerator:
    """The sending side, one per peer: puts the MACs on our messages and keeps the cookie that the peer gave us.

    Its two keys are hashes that take less time than anything else in a handshake: they are not kept.
    """

    __slots__ = ("_cookie", "_cookie_set_at", "_last_mac1", "_public_key")

    def __init__(self, public_key: PublicKey) -> None:
        self._public_key = public_key.raw
        self._cookie = b""
        self._cookie_set_at = _NEVER
        self._last_mac1 = b""

    @property
    def is_reply_expected(self) -> bool:
        """A message of ours is out whose mac1 no cookie reply has answered yet."""
        return bool(self._last_mac1)

    def add_macs(self, message: bytearray, now: float) -> None:
        """Fill in mac1, and mac2 if a cookie is at hand, at the end of an initiation or response."""
        view = memoryview(message)
        mac1 = mac(blake2s(LABEL_MAC1, self._public_key), view[:-MAC1_OFFSET_FROM_END])
        view[-MAC1_OFFSET_FROM_END:-MAC2_OFFSET_FROM_END] = mac1
        self._last_mac1 = mac1
        if now - self._cookie_set_at < COOKIE_LIFETIME_S:
            view[-MAC2_OFFSET_FROM_END:] = mac(self._cookie, view[:-MAC2_OFFSET_FROM_END])
        else:
            view[-MAC2_OFFSET_FROM_END:] = _NO_MAC

    def consume_reply(self, reply: CookieReply, now: float) -> bool:
        """Take the cookie if it answers our own last mac1; once only, so that a replay does not prolong its life."""
        if not self._last_mac1:
            return False
        cookie_key = blake2s(LABEL_COOKIE, self._public_key)
        try:
            self._cookie = open_cookie(cookie_key, reply.nonce, reply.encrypted_cookie, self._last_mac1)
        except AuthenticationFailed:
            return False
        self._cookie_set_at = now
        self._last_mac1 = b""
        return True

    def wipe(self) -> None:
        self._cookie = b""
        self._cookie_set_at = _NEVER
        self._last_mac1 = b""
