# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The persistent keepalive: at once, every interval, for ever; checklist 22."""

from __future__ import annotations

import pytest
from support.net import Network


# checklist 22
def test_a_persistent_keepalive_is_sent_at_once_and_then_every_interval(net: Network) -> None:
    a, b = net.quiet_pair()
    start = net.now

    a.device.set_persistent_keepalive(a.peer(b), 25, start)
    net.run_for(101)

    times = [record.time - start for record in net.sent("keepalive", sender=a)]
    assert times == pytest.approx([0, 25, 50, 75, 100])


def test_a_persistent_keepalive_makes_the_first_session_by_itself(net: Network) -> None:
    a, b = net.pair(keepalive_s=25)
    net.run_for(0.1)

    assert [record.kind for record in net.records] == ["initiation", "response", "keepalive"]
    assert b.has_session(a)


def test_any_authenticated_traversal_puts_the_persistent_keepalive_off(net: Network) -> None:
    a, b = net.quiet_pair()
    a.device.set_persistent_keepalive(a.peer(b), 9, net.now)
    net.settle()
    net.forget()

    for _ in range(6):
        net.run_for(8)
        a.send(b)
        net.run_for(8)
        b.send(a)

    assert net.count("keepalive", sender=a) == 0


def test_a_persistent_keepalive_drives_rekeying_for_ever(net: Network) -> None:
    a, b = net.pair(keepalive_s=25)

    net.run_for(3600)

    assert 3600 / 146 - 1 <= a.handshakes <= 3600 / 120 + 1
    assert a.has_session(b)
    assert not a.drops
    assert not b.drops


def test_a_persistent_keepalive_never_gives_up_for_good(net: Network) -> None:
    a, b = net.pair(keepalive_s=25)
    b.kill()
    net.run_for(2000)
    b.restart()

    net.run_for(31)

    assert a.has_session(b)


def test_switching_the_persistent_keepalive_off_stops_it(net: Network) -> None:
    a, b = net.established_pair()
    a.device.set_persistent_keepalive(a.peer(b), 25, net.now)
    net.run_for(30)
    before = net.count("keepalive")

    a.device.set_persistent_keepalive(a.peer(b), 0, net.now)
    net.run_for(100)

    assert net.count("keepalive") == before


def test_a_persistent_keepalive_is_sent_when_the_interface_comes_up(net: Network) -> None:
    a, _ = net.pair(keepalive_s=25)
    net.run_for(1)
    a.device.down(net.now)
    net.run_for(100)
    net.forget()

    a.device.up(net.now)
    net.run_for(0.1)

    assert [record.kind for record in net.records] == ["initiation", "response", "keepalive"]


@pytest.mark.parametrize(("interval_s", "is_allowed"), [(0, True), (65535, True), (65536, False), (-1, False)])
def test_the_interval_is_a_u16(net: Network, interval_s: int, is_allowed: bool) -> None:
    a, b = net.pair()

    if is_allowed:
        a.device.set_persistent_keepalive(a.peer(b), interval_s, net.now)
        assert a.peer(b).persistent_keepalive_s == interval_s
    else:
        with pytest.raises(ValueError, match="keepalive"):
            a.device.set_persistent_keepalive(a.peer(b), interval_s, net.now)


def test_a_keepalive_switched_on_before_the_endpoint_is_known_is_not_forgotten(net: Network) -> None:
    a, b = net.node(), net.node()
    b.configure(a)
    peer = a.configure(b, endpoint=False, keepalive_s=25)
    net.run_for(100)

    a.device.set_endpoint(peer, b.endpoint, net.now)
    net.run_for(26)

    assert a.has_session(b)
    assert net.count("keepalive", sender=a) == 2
