# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Two tunnels on memory drivers: what goes into one TUN comes out of the other."""

from __future__ import annotations

import errno

import pytest
from support.packets import ip_packet
from support.tunnels import LEFT, LEFT6, PORT, RIGHT, RIGHT6, TunnelPair
from wirefleet_agent.drops import DropReason
from wirefleet_agent.errors import DriverError
from wirefleet_agent.wire.endpoint import Endpoint


def test_a_packet_crosses_and_so_does_the_answer(pair: TunnelPair) -> None:
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"ping"))
    pair.turn()
    pair.right.tun.inject(ip_packet(RIGHT, LEFT, b"pong"))
    pair.turn()

    assert pair.right.tun.delivered == [ip_packet(LEFT, RIGHT, b"ping")]
    assert pair.left.tun.delivered == [ip_packet(RIGHT, LEFT, b"pong")]


def test_both_families_cross_in_order(pair: TunnelPair) -> None:  # checklist 31
    packets = [
        ip_packet(*((LEFT, RIGHT) if number % 3 else (LEFT6, RIGHT6)), bytes([number]) * number)
        for number in range(200)
    ]

    pair.left.tun.inject(*packets[:10])
    pair.turn()
    pair.left.tun.inject(*packets[10:])
    pair.turn()

    assert pair.right.tun.delivered == packets


def test_packets_that_wait_for_the_handshake_leave_before_later_ones(pair: TunnelPair) -> None:  # checklist 31
    pair.left.tun.inject(*(ip_packet(LEFT, RIGHT, bytes([number])) for number in range(5)))
    pair.loop.run_once(0)
    pair.left.tun.inject(*(ip_packet(LEFT, RIGHT, bytes([number])) for number in range(5, 10)))
    pair.turn()

    assert pair.right.payloads == [bytes([number]) for number in range(10)]


def test_thousands_of_packets_cross_in_bounded_turns(pair: TunnelPair) -> None:
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"first"))
    pair.turn()
    pair.left.tun.inject(*(ip_packet(LEFT, RIGHT, number.to_bytes(2, "big") * 600) for number in range(1000)))

    pair.loop.run_once(0)
    assert len(pair.right.payloads) < 1000
    pair.turn()

    assert len(pair.right.payloads) == 1001
    assert pair.left.device.drops == {}
    assert pair.right.device.drops == {}


def test_a_link_that_goes_down_closes_the_sockets_and_comes_back_on_the_same_port(pair: TunnelPair) -> None:
    pair.left.tun.set_link(is_up=False)
    pair.turn()
    assert (pair.left.udp.port, pair.left.tunnel.listen_port) == (0, PORT)
    assert not pair.left.tunnel.is_up

    pair.left.tun.set_link(is_up=True)
    pair.turn()
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"again"))
    pair.turn()

    assert pair.left.udp.port == PORT
    assert pair.right.payloads == [b"again"]


def test_port_zero_keeps_the_port_it_got_across_down_and_up(pair: TunnelPair) -> None:
    pair.left.tunnel.set_listen_port(0)
    port = pair.left.tunnel.listen_port
    assert port not in (0, PORT)

    pair.left.tun.set_link(is_up=False)
    pair.turn()
    pair.left.tun.set_link(is_up=True)
    pair.turn()

    assert pair.left.tunnel.listen_port == pair.left.udp.port == port


def test_a_new_port_is_told_to_the_peer_by_the_next_packet(pair: TunnelPair) -> None:  # checklist 33
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"one"))
    pair.turn()
    pair.left.tunnel.set_listen_port(4000)
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"two"))
    pair.turn()

    assert pair.right.payloads == [b"one", b"two"]
    assert pair.right.peer.endpoint == Endpoint(pair.left.udp.hosts[0], 4000)


@pytest.mark.parametrize("is_up", [True, False])
def test_a_taken_port_is_refused_and_the_old_one_stays(is_up: bool) -> None:
    pair = TunnelPair(is_up=is_up)
    other = pair.end("other", *pair.left.udp.hosts)
    other.udp.open(4000)

    with pytest.raises(DriverError) as caught:
        pair.left.tunnel.set_listen_port(4000)

    assert caught.value.os_code == errno.EADDRINUSE
    assert pair.left.tunnel.listen_port == PORT
    pair.close()


def test_a_port_that_is_taken_while_coming_up_is_tried_again(pair: TunnelPair) -> None:
    pair.left.tun.set_link(is_up=False)
    pair.turn()
    other = pair.end("other", *pair.left.udp.hosts)
    other.udp.open(PORT)
    pair.left.tun.set_link(is_up=True)
    pair.run_for(5)
    assert not pair.left.tunnel.is_up

    other.udp.close()
    pair.run_for(3)

    assert pair.left.tunnel.is_up
    assert pair.left.udp.port == PORT


def test_removing_the_interface_ends_the_tunnel_once(pair: TunnelPair) -> None:
    ended: list[str] = []
    pair.left.tunnel.on_removed = lambda: ended.append(pair.left.tunnel.name)

    pair.left.tun.set_link(is_removed=True)
    pair.turn()
    pair.left.tunnel.stop()

    assert ended == ["left"]
    assert pair.left.udp.port == 0


def test_a_changed_mtu_makes_room_for_longer_packets(pair: TunnelPair) -> None:  # checklist 28, 32
    assert pair.left.device.mtu_bytes == 1420
    for end in (pair.left, pair.right):
        end.tun.set_link(mtu_bytes=9000)
    pair.turn()
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"first"))
    pair.turn()
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, bytes(8980)))
    pair.turn()

    assert pair.left.device.mtu_bytes == 9000
    assert pair.right.payloads == [b"first", bytes(8980)]


def test_the_mark_goes_to_the_sockets(pair: TunnelPair) -> None:  # checklist 36
    pair.left.tunnel.set_fwmark(0x42)

    assert (pair.left.tunnel.fwmark, pair.left.udp.fwmark) == (0x42, 0x42)


@pytest.mark.parametrize("change", ["port", "mark"])
def test_a_rebind_and_a_new_mark_forget_the_sticky_source(pair: TunnelPair, change: str) -> None:  # checklist 35
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"one"))
    pair.turn()
    assert pair.left.peer.local is not None

    if change == "port":
        pair.left.tunnel.set_listen_port(4000)
    else:
        pair.left.tunnel.set_fwmark(1)

    assert pair.left.peer.local is None


def test_timers_of_the_core_fire_from_the_loop(pair: TunnelPair) -> None:  # checklist 22
    pair.left.device.set_persistent_keepalive(pair.left.peer, 25, pair.clock.now)
    pair.left.tunnel.flush()
    pair.turn()
    before = pair.right.peer.rx_datagrams

    pair.run_for(51)

    assert pair.right.peer.rx_datagrams == before + 2


def test_traffic_flows_through_two_rekeys_without_a_loss(pair: TunnelPair) -> None:  # checklist 12
    for second in range(260):
        pair.left.tun.inject(ip_packet(LEFT, RIGHT, second.to_bytes(2, "big")))
        pair.right.tun.inject(ip_packet(RIGHT, LEFT, second.to_bytes(2, "big")))
        pair.run_for(1, step_s=0.5)

    expected = [second.to_bytes(2, "big") for second in range(260)]
    assert pair.right.payloads == expected
    assert pair.left.payloads == expected


def test_an_unreachable_peer_is_told_after_twenty_initiations(pair: TunnelPair) -> None:  # checklist 19
    unreachable = []
    pair.left.tunnel.on_unreachable = unreachable.append
    pair.underlay.filter = lambda *_: False
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"lost"))
    pair.turn()

    pair.run_for(120, step_s=1)

    assert unreachable == [pair.left.peer]


def test_a_finished_handshake_is_told(pair: TunnelPair) -> None:
    met = []
    pair.right.tunnel.on_handshake = met.append

    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"hello"))
    pair.turn()

    assert met == [pair.right.peer]


def test_packets_that_the_host_does_not_take_are_counted(pair: TunnelPair) -> None:
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"one"))
    pair.turn()
    pair.right.tun.write_packets = lambda packets: 0  # type: ignore[method-assign]

    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"two"))
    pair.turn()

    assert pair.right.device.drops == {DropReason.TUN_WRITE_FAILED: 1}


def test_datagrams_that_do_not_leave_are_counted(pair: TunnelPair) -> None:
    pair.left.device.set_endpoint(pair.left.peer, Endpoint("2001:db8::99", 1), pair.clock.now)
    pair.left.udp.hosts = ("192.0.2.1",)

    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"one"))
    pair.turn()

    assert pair.left.device.drops == {DropReason.UDP_SEND_FAILED: 1}
