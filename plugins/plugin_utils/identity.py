# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signature by which a host's identity vouches for a tunnel's public key."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

try:
    import nacl.bindings
    import nacl.exceptions
except ImportError:
    HAS_NACL = False
else:
    HAS_NACL = True

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError

SIGNATURE_CONTEXT = b"wirefleet key v1\0"
_HINT = "see what runs as the agent on this host, and rotate the key"


def check_identity(tunnel: str, public_key: str, identity: Mapping[str, Any] | None) -> None:
    """The identity's Ed25519 signature covers this public key of this tunnel. Raises AgentError.

    identity: public_key and signature in base64. Source: RFC 8032, and the agent's key store, which signs.
    """
    if not HAS_NACL:
        raise AgentError("the signature of the host's key cannot be checked", code="internal", hint="install PyNaCl")
    if not identity:
        raise AgentError("nobody vouches for the public key of the host", code="bad_identity", hint=_HINT)
    try:
        key, signer, signature = (
            base64.b64decode(text, validate=True)
            for text in (public_key, identity["public_key"], identity["signature"])
        )
        signed = SIGNATURE_CONTEXT + tunnel.encode() + b"\0" + key
        nacl.bindings.crypto_sign_open(signature + signed, signer)
    except (nacl.exceptions.CryptoError, KeyError, TypeError, ValueError):
        message = f"the identity of the host did not sign this public key of tunnel {tunnel}"
        raise AgentError(message, code="bad_identity", path=public_key, hint=_HINT) from None
