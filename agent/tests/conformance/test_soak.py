# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Long runs on bad and on good networks: convergence, integrity, order, no loss that the network did not cause."""

from __future__ import annotations

import random
import re

import pytest
from support.net import Network
from support.node import Node
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PresharedKey


def numbers(node: Node) -> list[int]:
    """The numbers of what arrived; each payload must be exactly what ``payload`` made."""
    arrived = []
    for raw in node.payloads:
        match = re.fullmatch(rb"(\d+):x*", raw)
        assert match is not None, raw
        number = int(match[1])
        assert raw == payload(number)
        arrived.append(number)
    return arrived


def payload(number: int) -> bytes:
    return b"%d:" % number + b"x" * (number * 37 % 1300)


# checklist 10
def test_simultaneous_initiation_converges_a_thousand_times() -> None:
    for seed in range(1000):
        net = Network(seed)
        a, b = net.pair(psk=PresharedKey(bytes([5]) * 32) if seed % 2 else None)
        chance = random.Random(seed)
        net.link(a, b, delay_s=chance.choice([0.0005, 0.005, 0.05, 0.3, 1.0]), jitter_s=chance.choice([0, 0.01, 0.2]))

        a.send(b, b"from a")
        net.run_for(chance.random() * 0.01 if seed % 4 else 0)
        b.send(a, b"from b")
        done = net.run_until(lambda a=a, b=b: bool(a.payloads and b.payloads), 30)  # type: ignore[misc]

        assert done, net.chart()
        net.settle()
        a.send(b, b"again a")
        b.send(a, b"again b")
        net.run_for(2)
        assert a.payloads == [b"from b", b"again b"], net.chart()
        assert b.payloads == [b"from a", b"again a"], net.chart()


@pytest.mark.parametrize("seed", range(6))
def test_simultaneous_initiation_converges_on_a_lossy_network_too(seed: int) -> None:
    net = Network(seed)
    a, b = net.pair()
    net.link(a, b, loss=0.3, jitter_s=0.05)
    for number in range(60):
        a.send(b, payload(number))
        b.send(a, payload(number))
        net.run_for(1)

    net.link(a, b, loss=0)
    net.run_for(11)
    a.send(b, payload(100))
    b.send(a, payload(100))
    net.run_for(11)

    assert numbers(a)[-1] == numbers(b)[-1] == 100, net.chart()


def test_hours_of_loss_duplicates_and_reordering_deliver_only_intact_packets_and_each_once(net: Network) -> None:
    a, b = net.pair()
    net.link(a, b, loss=0.3, duplicate=0.1, delay_s=0.02, jitter_s=0.3)
    sent = 0
    start = net.now
    while net.now - start < 3 * 3600:
        for _ in range(net.random.randrange(4)):
            a.send(b, payload(sent))
            b.send(a, payload(sent))
            sent += 1
        net.run_for(net.random.choice([0.1, 1, 1, 5]) if net.random.random() < 0.998 else 700)
        if len(net.records) > 5000:
            net.records.clear()

    for node in (a, b):
        arrived = numbers(node)
        assert len(set(arrived)) == len(arrived), "delivered twice"
        assert 0.55 * sent < len(arrived) < 0.8 * sent
        assert set(node.drops) <= {
            DropReason.REPLAYED,
            DropReason.REPLAYED_INITIATION,
            DropReason.INITIATION_FLOOD,
            DropReason.UNKNOWN_INDEX,
            DropReason.UNEXPECTED_RESPONSE,
            DropReason.EXPIRED_KEY,
            DropReason.STAGED_EXPIRED,
            DropReason.STAGED_OVERFLOW,
        }
    assert min(a.handshakes, b.handshakes) > 30
    assert len(a.device._environment.indices) <= 4
    assert len(b.device._environment.indices) <= 4


@pytest.mark.parametrize("both_ways", [False, True])
def test_no_packet_is_lost_or_overtaken_across_50_rekeys(net: Network, both_ways: bool) -> None:
    a, b = net.established_pair()
    net.link(a, b, delay_s=0.04)
    sent = 0
    while a.handshakes <= 51:
        a.send(b, payload(sent))
        if both_ways:
            b.send(a, payload(sent))
        sent += 1
        net.run_for(net.random.random())
        if len(net.records) > 5000:
            net.records.clear()
    net.run_for(1)

    assert numbers(b) == list(range(sent))
    assert numbers(a) == (list(range(sent)) if both_ways else [])
    assert not a.drops
    assert not b.drops


def test_no_packet_is_lost_when_the_rekey_happens_in_the_middle_of_a_burst(net: Network) -> None:
    a, b = net.pair()
    net.link(a, b, delay_s=0.05)
    sent = 0
    for _ in range(60):
        for _ in range(30):
            a.send(b, payload(sent))
            b.send(a, payload(sent))
            sent += 1
            net.run_for(0.01)
        net.run_for(120)

    net.run_for(1)
    assert numbers(a) == numbers(b) == list(range(sent))
    assert a.handshakes > 30


def test_no_packet_is_lost_by_sessions_that_end_while_nobody_talks(net: Network) -> None:
    a, b = net.pair()
    sent = 0
    for _ in range(60):
        for node, to in ((a, b), (b, a)):
            node.send(to, payload(sent))
        sent += 1
        net.run_for(net.random.choice([1, 11, 170, 185, 400, 600]))

    net.run_for(30)
    assert numbers(a) == numbers(b) == list(range(sent))
    assert a.drops[DropReason.STAGED_EXPIRED] == b.drops[DropReason.STAGED_EXPIRED] == 0


def test_a_peer_that_is_killed_comes_back_and_is_found_by_either_side(net: Network) -> None:
    a, b = net.established_pair()
    for round_ in range(20):
        victim, other = (a, b) if round_ % 2 else (b, a)
        victim.kill()
        for _ in range(net.random.randrange(1, 200)):
            other.send(victim, b"lost")
            net.run_for(1)
        victim.restart()
        net.forget()

        sender, receiver = (victim, other) if round_ % 4 < 2 else (other, victim)
        for _ in range(30):
            sender.send(receiver, b"back")
            net.run_for(1)

        assert receiver.payloads.count(b"back") > 1, net.chart()


def test_many_spokes_share_one_hub(net: Network) -> None:
    hub = net.node("hub")
    spokes = [net.node(f"spoke-{number}") for number in range(20)]
    for spoke in spokes:
        net.connect(spoke, hub, keepalive_s=25)

    for number in range(300):
        for spoke in spokes[number % 4 :: 4]:
            spoke.send(hub, payload(number))
            hub.send(spoke, payload(number))
        net.run_for(1)
        if number % 50 == 0:
            net.records.clear()
    net.run_for(10)

    assert len(hub.delivered) == 300 * 5
    for offset, spoke in enumerate(spokes):
        assert numbers(spoke) == [number for number in range(300) if number % 4 == offset % 4]
    assert set(hub.drops) <= {DropReason.UNKNOWN_INDEX}, "the answers of initiations that crossed"
