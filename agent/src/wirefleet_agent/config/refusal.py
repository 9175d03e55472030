# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A configuration without the peers that the hubs have revoked. The files keep them: a restored peer comes back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..keys import PublicKey
from .model import TunnelConfig


def without_peers(config: TunnelConfig, keys: Collection[PublicKey]) -> TunnelConfig:
    """``config`` as if these peers were not in it; the same object if none of them is."""
    if not any(peer.public_key in keys for peer in config.peers):
        return config
    return replace(config, peers=tuple(peer for peer in config.peers if peer.public_key not in keys))
