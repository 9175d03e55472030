# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Preshared keys of pairs of hosts, and the key of the hubs' cluster, derived from one secret of the fleet.

Standard library only.

PSK(A, B) = HMAC-SHA256(secret, label || min(A, B) || max(A, B)) over the raw public keys. Both ends get the same key
without ever exchanging it, every pair has its own, and a rotated key pair brings a new one. The secret lives in one
file on the controller; the keys are made in the moment in which they are handed to the agent.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from .key_text import decode_key, encode_key

LABEL = b"wirefleet preshared key v1\0"
CLUSTER_LABEL = b"wirefleet cluster key v1\0"


def derive_preshared_key(secret: bytes, public_key: str, other_public_key: str) -> str:
    """The pair's preshared key in base64; the order of the two public keys does not matter. Raises ValueError."""
    low, high = sorted((decode_key(public_key), decode_key(other_public_key)))
    return encode_key(hmac.new(secret, LABEL + low + high, hashlib.sha256).digest())


def derive_preshared_keys(secret: bytes, public_key: str, peers: Iterable[str]) -> dict[str, str]:
    """The ``preshared_keys`` of a request to the agent: peer's public key -> preshared key. Secret!"""
    return {peer: derive_preshared_key(secret, public_key, peer) for peer in peers}


def derive_cluster_key(secret: bytes) -> str:
    """What the hubs of a fleet authenticate each other's messages about their state with, in base64. Secret!"""
    return encode_key(hmac.new(secret, CLUSTER_LABEL, hashlib.sha256).digest())
