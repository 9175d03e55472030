# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The timers of a peer, by the clock; checklist 18 to 21 and 23."""

from __future__ import annotations

import itertools

from support.net import Network
from support.packets import ip_packet
from support.stranger import Stranger
from wirefleet_agent.core import HandshakeGaveUp
from wirefleet_agent.drops import DropReason
from wirefleet_agent.wire import LocalAddress


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


# checklist 18
def test_retries_come_5_seconds_apart_with_up_to_333_ms_of_jitter(net: Network) -> None:
    a, b = net.pair()
    b.kill()

    a.send(b)
    net.run_for(120)

    between = gaps([record.time for record in net.sent("initiation")])
    assert all(5 <= gap <= 5.334 for gap in between)
    assert max(between) - min(between) > 0.1, "the jitter is random"


def test_new_data_does_not_hurry_the_next_initiation(net: Network) -> None:
    a, b = net.pair()
    b.kill()

    for _ in range(100):
        a.send(b)
        net.run_for(0.1)

    assert net.count("initiation") == 2


def test_no_initiation_follows_a_response_within_5_seconds(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    answered_at = net.now

    stranger.poke()
    net.run_for(4.9)
    stranger.poke()
    assert stranger.take("initiation") == []

    net.run_for(1)
    (sent,) = net.sent("initiation")
    assert 5 <= sent.time - answered_at <= 5.334


def test_a_retry_lets_the_host_choose_the_source_address_anew(net: Network) -> None:
    a, b = net.established_pair()
    net.run_for(181)
    net.cut(a, b)
    a.send(b)
    assert a.peer(b).local is not None

    net.run_for(5.4)

    assert net.count("initiation", sender=a) == 2
    assert a.peer(b).local is None


# checklist 19
def test_20_initiations_in_90_seconds_then_silence_and_an_empty_stage(net: Network) -> None:
    a, b = net.pair()
    b.kill()
    a.send(b)
    a.send(b)

    net.run_for(3600)

    initiations = net.sent("initiation")
    assert len(net.records) == len(initiations) == 20
    assert 19 * 5 <= initiations[-1].time - initiations[0].time <= 19 * 5.334
    assert [type(event) for _, event in a.events] == [HandshakeGaveUp]
    assert a.drops == {DropReason.STAGED_EXPIRED: 2}
    assert a.peer(b).staged_packets == 0


def test_new_data_begins_the_count_of_20_again(net: Network) -> None:
    a, b = net.pair()
    b.kill()
    a.send(b)
    net.run_for(60)
    before = net.count("initiation")

    a.send(b)
    net.run_for(300)

    assert net.count("initiation") == before + 20 - 1, "the last one before the new data counts as the first"


def test_new_data_after_giving_up_starts_at_once(net: Network) -> None:
    a, b = net.pair()
    b.kill()
    a.send(b)
    net.run_for(200)
    net.forget()
    b.restart()

    a.send(b, b"again")
    net.run_for(0.1)

    assert b.payloads == [b"again"]
    assert [record.kind for record in net.records] == ["initiation", "response", "data"]


# checklist 20
def test_data_without_an_answer_for_15_seconds_starts_a_handshake_from_a_fresh_source(net: Network) -> None:
    a, b = net.quiet_pair()
    assert a.peer(b).local is not None
    b.kill()
    start = net.now

    for _ in range(14):
        a.send(b)
        net.run_for(1)
    assert net.count("initiation") == 0
    assert a.peer(b).local is not None
    net.run_for(2)

    (initiation,) = net.sent("initiation")
    assert 15 <= initiation.time - start <= 15.334
    assert a.peer(b).local is None


def test_anything_authenticated_calls_the_15_second_handshake_off(net: Network) -> None:
    a, b = net.quiet_pair()
    a.send(b)
    net.run_for(14)
    assert net.count("keepalive", sender=b) == 1, "its passive keepalive"

    net.run_for(20)

    assert net.count("initiation") == 0


def test_the_peers_own_handshake_calls_it_off_as_well(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    stranger.poke()
    net.run_for(8)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))

    net.run_for(8)

    assert net.count("initiation") == 0


def test_an_unanswered_keepalive_starts_no_handshake(net: Network) -> None:
    a, b = net.established_pair()
    a.device.set_persistent_keepalive(a.peer(b), 5, net.now)
    net.run_for(100)

    assert net.count("keepalive", sender=a) >= 19
    assert net.count("initiation") == 0


# checklist 21
def test_10_seconds_after_data_without_an_answer_a_keepalive_is_sent(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    stranger.send(stranger.packet())

    net.run_for(9.9)
    assert stranger.take() == []
    net.run_for(0.2)
    assert stranger.opened() == [b""]
    net.run_for(60)
    assert stranger.take() == [], "one is enough"


def test_data_that_came_while_the_keepalive_was_pending_asks_for_one_more(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()

    for _ in range(3):
        stranger.send(stranger.packet())
        net.run_for(1)
    net.run_for(60)

    keepalives = net.sent("keepalive")
    assert [round(record.time - 1000) for record in keepalives] == [10, 20]


def test_an_answer_makes_the_keepalive_needless(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    stranger.send(stranger.packet())
    net.run_for(5)

    stranger.poke()
    net.run_for(14)

    assert [record.kind for record in net.sent(sender=node)] == ["response", "data"]


def test_keepalives_are_not_answered_with_keepalives(net: Network) -> None:
    a, b = net.quiet_pair()

    a.device.set_persistent_keepalive(a.peer(b), 5, net.now)
    net.run_for(60)

    assert net.sent(sender=b) == []


# checklist 23
def test_no_timer_fires_for_a_stopped_peer(net: Network) -> None:
    a, b = net.pair(keepalive_s=5)
    net.run_for(60)
    a.send(b)
    a.device.down(net.now)
    b.device.remove_peer(a.public_key, net.now)
    net.forget()

    assert a.device.next_deadline() is None
    assert b.device.next_deadline() is None
    net.run_for(1000)
    assert net.records == []


def test_nothing_that_happens_to_a_stopped_device_arms_a_timer(net: Network) -> None:
    a, b = net.established_pair()
    lease = a.device.lease_seal(a.peer(b), 1, net.now)
    assert lease is not None
    b.send(a, b"in")
    (record,) = net.records
    opened = a.device.lease_open(int.from_bytes(record.datagram[4:8], "little"), net.now)
    assert opened is not None
    a.device.down(net.now)

    a.device.commit_seal(lease, 1, 100, net.now)
    a.device.commit_open(opened, b.endpoint, LocalAddress("192.0.2.1", 1), 1, 100, True, net.now)
    a.device.set_persistent_keepalive(a.peer(b), 25, net.now)
    a.device.set_endpoint(a.peer(b), b.endpoint, net.now)
    a.device.send_packet(ip_packet(a.inner, b.inner), net.now)
    a.device.receive_datagram(record.datagram, b.endpoint, None, net.now)

    assert a.device.poll() == []
    assert a.device.next_deadline() is None
    assert a.drops == {DropReason.PEER_STOPPED: 2}


def test_going_down_loses_sessions_and_staged_packets_and_up_begins_afresh(net: Network) -> None:
    a, b = net.established_pair()
    net.cut(a, b)
    net.run_for(181)
    a.send(b, b"staged")
    a.device.down(net.now)
    assert a.drops == {DropReason.PEER_STOPPED: 1}
    assert len(a.device._environment.indices) == 0
    net.mend(a, b)

    a.device.up(net.now)
    a.send(b, b"new")
    net.run_for(0.1)

    assert b.payloads == [b"new"]


def test_next_deadline_is_never_late_and_firing_early_does_nothing(net: Network) -> None:
    a, b = net.established_pair()
    a.send(b)
    net.run_for(0.05)
    deadline = b.device.next_deadline()
    assert deadline is not None
    assert deadline <= net.now + 10

    for step in range(40):
        b.device.advance(net.now + step * 0.2)

    assert b.device.poll() == []
    b.device.advance(net.now + 10)
    assert len(b.device.poll()) == 1
