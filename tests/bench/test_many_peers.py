# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load generator against the agent's core, without a network."""

from __future__ import annotations

import os

import pytest
from wirefleet_agent.core import Device, HandshakeCompleted, SendDatagram, stamp_of
from wirefleet_agent.keys import PrivateKey
from wirefleet_agent.wire import CookieReply, Endpoint
from wirefleet_bench.many_peers import UNANSWERED_AFTER_S, Crowd, Player, identity_of

SOURCE = Endpoint("192.0.2.9", 40000)
PEERS = 3
SEED = b"seed"


def stamp() -> bytes:
    return stamp_of(1_700_000_000, 0)


@pytest.fixture
def hub() -> Device:
    device = Device(entropy=os.urandom, tai64n_now=stamp)
    device.set_private_key(PrivateKey(os.urandom(32)), 0.0)
    for number in range(PEERS):
        device.add_peer(identity_of(SEED, number).public_key, 0.0)
    device.up(0.0)
    return device


@pytest.fixture
def crowd(hub: Device) -> Crowd:
    key = hub.public_key
    assert key is not None
    return Crowd([Player(identity_of(SEED, number), key) for number in range(PEERS)], 2, stamp)


def answers(hub: Device, datagram: bytes, now: float) -> list[bytes]:
    hub.receive_datagram(datagram, SOURCE, None, now)
    return [output.datagram for output in hub.poll() if isinstance(output, SendDatagram)]


def test_peers_take_turns_and_every_handshake_completes_at_the_hub(hub, crowd):
    completed = []
    for turn in range(2 * PEERS):
        now = 1.0 + turn
        (response,) = answers(hub, crowd.initiate(now), now)
        confirmation = crowd.receive(response)
        assert confirmation is not None
        hub.receive_datagram(confirmation, SOURCE, None, now)
        completed += [output.peer for output in hub.poll() if isinstance(output, HandshakeCompleted)]

    assert crowd.tally.answered == 2 * PEERS
    assert [completed.count(peer) for peer in hub.peers.values()] == [2] * PEERS
    assert not hub.drops


def test_no_more_are_in_flight_than_the_window_holds(crowd):
    assert crowd.can_initiate
    crowd.initiate(1.0)
    crowd.initiate(1.0)

    assert not crowd.can_initiate


def test_a_forged_response_is_no_answer(hub, crowd):
    (response,) = answers(hub, crowd.initiate(1.0), 1.0)

    forged = response[:50] + bytes([response[50] ^ 1]) + response[51:]

    assert crowd.receive(forged) is None
    assert (crowd.tally.answered, crowd.tally.invalid) == (0, 1)


def test_an_answer_counts_once(hub, crowd):
    (response,) = answers(hub, crowd.initiate(1.0), 1.0)

    crowd.receive(response)

    assert crowd.receive(response) is None
    assert crowd.tally.answered == 1


def test_what_is_not_answered_for_a_second_makes_room(crowd):
    crowd.initiate(1.0)
    crowd.initiate(1.5)

    crowd.give_up(1.0 + UNANSWERED_AFTER_S)

    assert crowd.tally.unanswered == 1
    assert crowd.can_initiate


def test_cookies_are_counted_and_data_is_not(crowd):
    assert crowd.receive(CookieReply(1, bytes(24), bytes(32)).build()) is None
    assert crowd.receive(b"\4" + bytes(31)) is None

    assert (crowd.tally.cookie_replies, crowd.tally.invalid) == (1, 0)
