# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Transport data: replay, padding, truncation, the inner source, order, staging; checklist 27 to 32."""

from __future__ import annotations

import pytest
from support.net import Network
from support.packets import ip_packet
from support.stranger import Stranger
from wirefleet_agent.core import Device, constants, stamp_of
from wirefleet_agent.drops import DropReason


# checklist 27
@pytest.mark.parametrize(("reorder", "is_delivered"), [(8128, True), (8129, False)])
def test_a_packet_8128_counters_late_is_delivered_one_more_is_not(
    net: Network, reorder: int, is_delivered: bool
) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    stranger.send(stranger.packet(b"new"), counter=100_000)

    stranger.send(stranger.packet(b"late"), counter=100_000 - reorder)

    assert node.payloads == ([b"new", b"late"] if is_delivered else [b"new"])
    assert node.drops[DropReason.REPLAYED] == (0 if is_delivered else 1)


def test_nothing_is_delivered_twice_wherever_it_is_in_the_window(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    counters = [1, 63, 64, 65, 2047, 2048, 8127, 8128, 8129, 9000]
    net.random.shuffle(counters)
    sent = [stranger.send(stranger.packet(b"%d" % counter), counter=counter) for counter in counters]
    delivered = len(node.payloads)

    for datagram in sent:
        stranger.give(datagram)

    assert len(node.payloads) == delivered == len(set(node.payloads))
    assert node.drops[DropReason.REPLAYED] == 2 * len(counters) - delivered


def test_a_forged_high_counter_does_not_move_the_window(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    genuine = stranger.noise.seal_data(5, stranger.packet())
    forged = genuine[:8] + (2**63).to_bytes(8, "little") + genuine[16:]

    stranger.give(forged)
    stranger.give(genuine)

    assert node.drops == {DropReason.BAD_TAG: 1}
    assert node.payloads == [b"data"]


def test_a_forged_packet_does_not_burn_the_counter_it_names(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    genuine = stranger.noise.seal_data(1, stranger.packet())

    stranger.give(genuine[:-1] + bytes([genuine[-1] ^ 1]))
    stranger.give(genuine)

    assert node.payloads == [b"data"]


def test_the_window_is_the_sessions_own(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    stranger.send(stranger.packet(b"a"), counter=50_000)
    net.run_for(1)

    stranger.initiate()
    stranger.send(stranger.packet(b"b"), counter=1)

    assert node.payloads == [b"a", b"b"]


# checklist 28
@pytest.mark.parametrize(
    ("mtu", "size", "padded"),
    [
        (1420, 20, 32),
        (1420, 32, 32),
        (1420, 33, 48),
        (1420, 1408, 1408),
        (1420, 1409, 1420),
        (1420, 1420, 1420),
        (1280, 1279, 1280),
        (1333, 1330, 1333),
        (1333, 1320, 1328),
        (1500, 1490, 1500),
        (65535, 1409, 1424),
        (1420, 1421, 1436),
        (1420, 2840, 2840),
        (1420, 2835, 2840),
    ],
)
def test_padding_goes_to_16_but_never_beyond_the_mtu(net: Network, mtu: int, size: int, padded: int) -> None:
    node = net.node()
    node.device.mtu_bytes = mtu
    stranger = Stranger(net, node)
    stranger.initiate()

    stranger.poke(b"x" * (size - 20))

    (plaintext,) = stranger.opened()
    assert len(plaintext) == padded
    assert plaintext[:size] == ip_packet(node.inner, stranger.inner, b"x" * (size - 20))
    assert not any(plaintext[size:])


# checklist 32
def test_the_mtu_is_1420_by_default() -> None:
    assert constants.DEFAULT_MTU_BYTES == 1420
    assert Device(entropy=bytes, tai64n_now=lambda: stamp_of(0, 0)).mtu_bytes == 1420


# checklist 29
@pytest.mark.parametrize("padding", [0, 1, 15, 16, 1000])
def test_what_follows_the_ip_length_is_cut_off(net: Network, padding: int) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    packet = stranger.packet(b"payload")

    stranger.send(packet + b"\xff" * padding)

    ((_, delivered, _),) = node.delivered
    assert delivered == packet


def test_an_ipv6_packet_longer_than_16_bits_arrives_whole(net: Network) -> None:
    a, b = net.established_pair()
    payload = net.random.randbytes(65535)
    a.device.mtu_bytes = 65575

    a.send(b, payload, ipv6=True)
    net.run_for(0.1)

    assert b.payloads == [payload]
    assert len(b.delivered[0][1]) == 65575


def broken(packet: bytes, offset: int, value: bytes) -> bytes:
    return packet[:offset] + value + packet[offset + len(value) :]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda p: broken(p, 0, b"\x55"), DropReason.BAD_PACKET_VERSION),
        (lambda p: broken(p, 0, b"\x05"), DropReason.BAD_PACKET_VERSION),
        (lambda p: bytes(16), DropReason.BAD_PACKET_VERSION),
        (lambda p: broken(p, 2, b"\x00\x13"), DropReason.BAD_PACKET_LENGTH),
        (lambda p: broken(p, 2, b"\x00\x00"), DropReason.BAD_PACKET_LENGTH),
        (lambda p: broken(p, 2, b"\xff\xff"), DropReason.BAD_PACKET_LENGTH),
        (lambda p: p[:-1], DropReason.BAD_PACKET_LENGTH),
        (lambda p: p[:19], DropReason.BAD_PACKET_LENGTH),
        (lambda p: p[:1], DropReason.BAD_PACKET_LENGTH),
        (lambda p: b"\x60" + bytes(38), DropReason.BAD_PACKET_LENGTH),
        (lambda p: b"\x60\0\0\0\0\x01" + bytes(34), DropReason.BAD_PACKET_LENGTH),
        (lambda p: b"\x60\0\0\0\xff\xff" + bytes(34 + 65534), DropReason.BAD_PACKET_LENGTH),
        (lambda p: b"\x60" + bytes(39), DropReason.WRONG_SOURCE),
    ],
)
def test_a_bad_version_or_length_is_dropped_though_authenticated(net: Network, damage, reason: DropReason) -> None:  # type: ignore[no-untyped-def]
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()

    stranger.send(damage(stranger.packet()))
    assert node.drops == {reason: 1}
    assert node.delivered == []

    stranger.send(stranger.packet())
    assert node.payloads == [b"data"]


# checklist 30
def test_an_inner_source_of_somebody_else_is_dropped(net: Network) -> None:
    node = net.node()
    stranger, other = Stranger(net, node, number=100), Stranger(net, node, number=101)
    stranger.initiate()

    stranger.send(stranger.packet(inner_source=other.inner))
    stranger.send(stranger.packet(inner_source="192.0.2.99"))
    stranger.send(stranger.packet(inner_source=node.inner))

    assert node.drops == {DropReason.WRONG_SOURCE: 3}
    assert node.delivered == []


def test_a_packet_that_fails_the_source_check_still_counts_as_received_data(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    before = stranger.peer.rx_bytes

    datagram = stranger.send(stranger.packet(inner_source="192.0.2.99"))

    assert stranger.peer.rx_bytes - before == len(datagram)
    net.run_for(10.1)
    assert stranger.opened()[-1:] == [b""], "its sender deserves a passive keepalive, as in wireguard-go"


def test_zero_length_is_a_keepalive_and_is_delivered_to_nobody(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    before = stranger.peer.rx_bytes
    stranger.take()

    stranger.send(b"")
    net.run_for(60)

    assert node.delivered == []
    assert stranger.take() == []
    assert stranger.peer.rx_bytes - before == 32
    assert not node.drops


# checklist 31
def test_counters_are_assigned_in_order_from_0(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()

    for number in range(50):
        stranger.poke(b"%03d" % number)

    opened = [stranger.noise.open_data(datagram) for datagram in stranger.take()]
    assert [counter for counter, _ in opened] == list(range(50))
    assert [plaintext[20:23] for _, plaintext in opened] == [b"%03d" % number for number in range(50)]


def test_the_stage_holds_128_packets_and_the_oldest_give_way(net: Network) -> None:
    a, b = net.pair()
    net.cut(a, b)
    for number in range(200):
        a.send(b, b"%d" % number)
    assert a.peer(b).staged_packets == 128
    assert a.drops == {DropReason.STAGED_OVERFLOW: 72}

    net.mend(a, b)
    net.run_for(6)

    assert b.payloads == [b"%d" % number for number in range(72, 200)]


def test_the_fast_path_never_overtakes_staged_packets(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    node.device.send_packet(ip_packet(node.inner, stranger.inner, b"first"), net.now)

    assert stranger.peer.staged_packets == 1
    assert node.device.lease_seal(stranger.peer, 1, net.now) is None


def test_leases_never_share_a_counter_and_the_slow_path_goes_on_behind_them(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()

    leases = [node.device.lease_seal(stranger.peer, count, net.now) for count in (1, 10, 100)]
    stranger.poke()

    assert [lease.first_counter for lease in leases if lease] == [0, 1, 11]
    (datagram,) = stranger.take()
    assert stranger.noise.open_data(datagram)[0] == 111


def test_one_peers_stage_is_not_anothers(net: Network) -> None:
    a, b, c = net.node(), net.node(), net.node()
    net.connect(a, b)
    net.connect(a, c)
    b.kill()
    for _ in range(300):
        a.send(b)

    a.send(c, b"c")
    net.run_for(0.1)

    assert c.payloads == [b"c"]
