# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A configuration without the peers that the hubs have revoked. The files keep them: a restored peer comes back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

from ..keys import PublicKey
from .model import GroupConfig, PeerConfig, SiteConfig, TunnelConfig

_Shared = TypeVar("_Shared", bound=GroupConfig | SiteConfig)


def without_peers(config: TunnelConfig, keys: Collection[PublicKey]) -> TunnelConfig:
    """``config`` as if these peers were not in it; the same object if none of them is.

    A group goes on with the members that are left: if the one that starts active goes, the best of them starts. A
    single one owns the prefixes alone, without a group. So do the gateways of a site.
    """
    if not any(peer.public_key in keys for peer in config.peers):
        return config
    peers = {peer.public_key: peer for peer in config.peers if peer.public_key not in keys}
    options = config.options
    groups = tuple(group for each in options.groups for group in _without(each, keys, peers))
    sites = tuple(site for each in options.sites for site in _without(each, keys, peers))
    relays = options.relays
    if relays is not None:
        members = tuple(key for key in relays.members if key not in keys)
        relays = replace(relays, members=members, fixed=tuple(key for key in relays.fixed if key not in keys))
    return replace(
        config, peers=tuple(peers.values()), options=replace(options, groups=groups, sites=sites, relays=relays)
    )


def _without(group: _Shared, keys: Collection[PublicKey], peers: dict[PublicKey, PeerConfig]) -> tuple[_Shared, ...]:
    """None or one; the prefixes go to the first member left in ``peers`` if nobody has them any more."""
    left = tuple(key for key in group.members if key not in keys)
    if len(left) == len(group.members):
        return (group,)
    owned = {prefix for key in left for prefix in peers[key].allowed_ips}
    lost = tuple(prefix for prefix in group.allowed_ips if prefix not in owned)
    if left and lost:
        heir = peers[left[0]]
        peers[left[0]] = replace(heir, allowed_ips=(*heir.allowed_ips, *lost))
    return (replace(group, members=left),) if len(left) > 1 else ()
