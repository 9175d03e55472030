# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Handshakes and data share every turn of the loop; neither waits for the end of the other."""

from __future__ import annotations

import random

import pytest
from support.packets import ip_packet
from support.reference_noise import with_macs
from support.tunnels import LEFT, RIGHT, End, TunnelPair
from wirefleet_agent.core.constants import HANDSHAKES_PER_POLL, HANDSHAKES_PER_STEP
from wirefleet_agent.drops import DropReason
from wirefleet_agent.engine.pump import BATCH_PACKETS, BATCHES_PER_TURN
from wirefleet_agent.keys import PublicKey
from wirefleet_agent.wire.endpoint import Endpoint

ATTACKER = Endpoint("203.0.113.66", 6666)
FLOOD = 120  # fewer than what counts as load: then a message costs no Diffie-Hellman operation
# A poll before and after what each batch of the TUN makes, and after each of the socket; and one after the step itself.
MOST_PER_TURN = HANDSHAKES_PER_STEP + (3 * BATCHES_PER_TURN + 1) * HANDSHAKES_PER_POLL


@pytest.fixture
def busy(pair: TunnelPair) -> TunnelPair:
    """A pair with a session."""
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"first"))
    pair.turn()
    pair.right.tun.delivered.clear()
    return pair


def flood(pair: TunnelPair, victim: End, count: int = FLOOD) -> None:
    """Initiations with a valid mac1 arrive at the victim's socket; each costs it a Diffie-Hellman operation."""
    draw = random.Random(3)
    assert victim.device.public_key is not None
    for _ in range(count):
        message = with_macs(b"\x01\0\0\0" + draw.randbytes(112), victim.device.public_key.raw)
        pair.underlay.carry(ATTACKER, victim.endpoint, message)


def test_every_turn_of_a_flood_of_handshakes_moves_data(busy: TunnelPair) -> None:
    flood(busy, busy.right)
    busy.loop.run_once(0)

    turns = 0
    while busy.right.device.pending_handshakes:
        done = busy.right.device.drops[DropReason.BAD_HANDSHAKE]
        delivered = len(busy.right.payloads)
        busy.left.tun.inject(*(ip_packet(LEFT, RIGHT, bytes([turns])) for _ in range(10)))
        busy.loop.run_once(0)
        busy.loop.run_once(0)
        turns += 1
        assert busy.right.device.drops[DropReason.BAD_HANDSHAKE] - done <= 2 * MOST_PER_TURN
        assert len(busy.right.payloads) == delivered + 10

    assert turns > 2
    assert busy.right.device.drops == {DropReason.BAD_HANDSHAKE: FLOOD}


def test_every_turn_of_a_flood_of_data_does_handshakes(busy: TunnelPair) -> None:
    flood(busy, busy.left)
    packets = [ip_packet(LEFT, RIGHT, b"flood")] * BATCH_PACKETS * BATCHES_PER_TURN * 20
    busy.left.tun.inject(*packets)
    busy.loop.run_once(0)

    turns = 0
    while busy.left.device.pending_handshakes:
        before = busy.left.device.pending_handshakes
        busy.loop.run_once(0)
        turns += 1
        assert before - busy.left.device.pending_handshakes >= min(before, HANDSHAKES_PER_STEP)
    assert turns < FLOOD // HANDSHAKES_PER_STEP

    busy.turn()
    assert len(busy.right.payloads) == len(packets)


def test_thousands_of_peers_that_are_called_at_once_leave_every_turn_to_data(busy: TunnelPair) -> None:
    now = busy.clock.now
    device = busy.left.device
    for number in range(300):
        peer = device.add_peer(PublicKey(number.to_bytes(32, "big")), now)
        device.set_endpoint(peer, ATTACKER, now)
        device.set_persistent_keepalive(peer, 25, now)
    busy.left.tunnel.flush()

    while before := device.pending_handshakes:
        delivered = len(busy.right.payloads)
        busy.left.tun.inject(ip_packet(LEFT, RIGHT, b"data"))
        busy.loop.run_once(0)
        busy.loop.run_once(0)
        assert before - device.pending_handshakes <= 2 * MOST_PER_TURN
        assert len(busy.right.payloads) == delivered + 1
