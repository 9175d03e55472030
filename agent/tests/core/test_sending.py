# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Staging, retries, and the corners of what a peer's timers make it send."""

from __future__ import annotations

from support.net import Network
from wirefleet_agent.core.constants import STAGED_PACKETS
from wirefleet_agent.drops import DropReason


# checklist 31
def test_the_oldest_staged_packets_give_way_and_order_is_kept(net: Network) -> None:
    a, b = net.pair()
    for number in range(STAGED_PACKETS + 3):
        a.send(b, b"%d" % number)

    net.run_for(1)

    assert a.drops == {DropReason.STAGED_OVERFLOW: 3}
    assert b.payloads == [b"%d" % number for number in range(3, STAGED_PACKETS + 3)]


# checklist 10, 18
def test_a_retry_that_falls_after_a_response_of_ours_waits_for_its_five_seconds(net: Network) -> None:
    a, b = net.pair()
    net.link(a, b, delay_s=2)

    a.send(b, b"from a")
    b.send(a, b"from b")
    net.run_for(30)

    assert (a.payloads, b.payloads) == ([b"from b"], [b"from a"])
    for node in (a, b):
        initiated = [record.time for record in net.sent("initiation", sender=node)]
        answered = [record.time for record in net.sent("response", sender=node)]
        assert all(not 0 < later - earlier < 5 for later in initiated for earlier in answered)


def test_a_staged_packet_replaces_the_keepalive(net: Network) -> None:
    a, b = net.pair()
    a.send(b, b"staged")

    a.device.set_persistent_keepalive(a.peer(b), 25, net.now)
    net.run_for(1)

    assert b.payloads == [b"staged"]
    assert net.count("keepalive") == 0


def test_a_peer_without_an_endpoint_keeps_quiet_until_it_has_one(net: Network) -> None:
    a, b = net.pair()
    a.device.set_endpoint(a.peer(b), None, net.now)
    a.device.set_persistent_keepalive(a.peer(b), 5, net.now)

    net.run_for(20)
    assert net.records == []

    b.send(a, b"here I am")
    net.run_for(1)
    assert a.payloads == [b"here I am"]
    assert a.peer(b).endpoint == b.endpoint


def test_switching_everything_off_leaves_no_deadline(net: Network) -> None:
    a, b = net.pair(keepalive_s=25)
    net.run_for(100)

    a.device.down(net.now)
    b.device.down(net.now)

    assert a.device.next_deadline() is None
    assert b.device.next_deadline() is None
    assert len(a.device._environment.indices) == 0


def test_giving_up_arms_the_wipe_and_leaves_no_index(net: Network) -> None:
    a, b = net.pair()
    b.kill()
    a.send(b)
    net.run_for(110)
    assert len(a.device._environment.indices) == 1
    gave_up_at = a.events[-1][0]

    net.run_for(gave_up_at + 541 - net.now)

    assert len(a.device._environment.indices) == 0
    assert a.device.next_deadline() is None


def test_a_keepalive_that_has_nowhere_to_go_is_not_sent(net: Network) -> None:
    a, b = net.established_pair()
    a.device.set_endpoint(a.peer(b), None, net.now)

    net.run_for(5)
    a.device.set_persistent_keepalive(a.peer(b), 1, net.now)
    net.run_for(3)

    assert net.count(sender=a) == 0
    assert a.has_session(b)
