# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Public keys of small order, static and ephemeral: no shared secret that everybody knows; checklist 2."""

from __future__ import annotations

import ipaddress

import pytest
from support.net import Network
from support.packets import ip_packet
from support.reference_noise import with_macs
from support.stranger import Stranger
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PublicKey

# Every u-coordinate whose order divides 8, on the curve and its twist, the unreduced forms p and p + 1 included, and
# each of them with the ignored bit 255 set (cr.yp.to/ecdh.html#validate, RFC 7748 section 5).
_P = 2**255 - 19
_EIGHTH = [
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
]
LOW_ORDER_POINTS = [0, 1, *_EIGHTH, _P - 1, _P, _P + 1]
LOW_ORDER_KEYS = [(point | high_bit << 255).to_bytes(32, "little") for point in LOW_ORDER_POINTS for high_bit in (0, 1)]


# checklist 2
@pytest.mark.parametrize("key", LOW_ORDER_KEYS, ids=lambda key: key.hex()[:8] + key.hex()[-4:])
def test_a_peer_with_a_low_order_key_is_unusable_but_harmless(net: Network, key: bytes) -> None:
    node, other = net.node(), net.node()
    node.configure(other)
    peer = node.device.add_peer(PublicKey(key), net.now)
    node.device.set_endpoint(peer, other.endpoint, net.now)
    node.device.set_persistent_keepalive(peer, 5, net.now)
    node.device.allowed_ips.insert(ipaddress.ip_network("10.99.0.1/32"), peer)

    node.device.send_packet(ip_packet(node.inner, "10.99.0.1", b"x"), net.now)
    net.run_for(20)

    assert net.records == []
    assert node.drops == {DropReason.LOW_ORDER_KEY: 1}
    assert not peer.handshake.is_usable


@pytest.mark.parametrize("key", LOW_ORDER_KEYS, ids=lambda key: key.hex()[:8] + key.hex()[-4:])
def test_a_low_order_ephemeral_aborts_either_handshake(net: Network, key: bytes) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    initiation = stranger.noise.create_initiation(stranger.stamp())
    stranger.give(with_macs(initiation[:8] + key + initiation[40:-32], node.public_key.raw))
    assert node.drops == {DropReason.LOW_ORDER_KEY: 1}

    stranger.poke()
    (ours,) = stranger.take("initiation")
    stranger.noise.consume_initiation(ours)
    response = stranger.noise.create_response()
    stranger.give(with_macs(response[:12] + key + response[44:-32], node.public_key.raw))
    assert node.drops == {DropReason.LOW_ORDER_KEY: 2}

    stranger.give(response)
    assert len(stranger.opened()) == 1, "the real response is still welcome"
