# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The device's configuration, life cycle and counters."""

from __future__ import annotations

import ipaddress
import os

import pytest
from support.net import Network
from support.packets import ip_packet
from wirefleet_agent.core import Device, stamp_of
from wirefleet_agent.core import settings as settings_module
from wirefleet_agent.drops import DropReason
from wirefleet_agent.errors import RefusedError
from wirefleet_agent.keys import PresharedKey, PrivateKey, PublicKey
from wirefleet_agent.wire import Endpoint, LocalAddress

ELSEWHERE = Endpoint("198.51.100.1", 1)


@pytest.fixture
def device() -> Device:
    made = Device(entropy=os.urandom, tai64n_now=lambda: stamp_of(1_700_000_000, 0))
    made.set_private_key(PrivateKey(bytes(range(32))), 0)
    return made


def new_public_key() -> PublicKey:
    return PublicKey(os.urandom(32))


def test_a_new_device_is_down_and_has_no_identity() -> None:
    device = Device(entropy=os.urandom, tai64n_now=lambda: stamp_of(0, 0))

    assert not device.is_up
    assert device.private_key is None
    assert device.public_key is None
    assert device.next_deadline() is None
    assert device.poll() == []


def test_the_device_keeps_a_copy_of_its_key(device: Device) -> None:
    key = PrivateKey(bytes(range(1, 33)))

    device.set_private_key(key, 0)
    key.wipe()

    assert device.private_key == PrivateKey(bytes(range(1, 33)))


@pytest.mark.parametrize("nothing", [None, PrivateKey(bytes(32))])
def test_no_key_and_a_zero_key_take_the_identity_away(device: Device, nothing: PrivateKey | None) -> None:
    peer = device.add_peer(new_public_key(), 0)
    before = device.private_key

    device.set_private_key(nothing, 0)

    assert device.private_key is None
    assert before is not None
    assert before.is_zero
    assert not peer.handshake.is_usable


def test_a_peer_is_added_once_and_never_ourselves(device: Device) -> None:
    key = new_public_key()
    peer = device.add_peer(key, 0)
    assert device.public_key is not None

    with pytest.raises(ValueError):
        device.add_peer(key, 0)
    with pytest.raises(ValueError):
        device.add_peer(device.public_key, 0)
    assert dict(device.peers) == {key: peer}
    assert str(key) in repr(peer)


# checklist 39
def test_there_is_a_limit_to_the_number_of_peers(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "MAX_PEERS", 2)
    device.add_peer(new_public_key(), 0)
    device.add_peer(new_public_key(), 0)

    with pytest.raises(RefusedError):
        device.add_peer(new_public_key(), 0)


# checklist 39
def test_a_removed_peer_leaves_nothing_behind(net: Network) -> None:
    a, b = net.established_pair()
    peer = a.peer(b)
    a.device.set_preshared_key(peer, PresharedKey(bytes([1]) * 32), net.now)

    a.device.remove_peer(b.public_key, net.now)
    a.device.remove_peer(b.public_key, net.now)

    assert not a.device.peers
    assert peer.allowed_ips == ()
    assert not peer.handshake.is_usable
    assert len(a.device._environment.indices) == 0
    assert a.device.next_deadline() is None
    a.send(b)
    assert a.drops[DropReason.NO_ROUTE_TO_PEER] == 1


# checklist 17
def test_a_new_private_key_removes_the_peer_that_is_now_ourselves(device: Device) -> None:
    key = PrivateKey(os.urandom(32))
    other = Device(entropy=os.urandom, tai64n_now=lambda: stamp_of(0, 0))
    other.set_private_key(key, 0)
    assert other.public_key is not None
    device.add_peer(other.public_key, 0)
    device.add_peer(new_public_key(), 0)

    device.set_private_key(key, 0)

    assert other.public_key not in device.peers
    assert len(device.peers) == 1


# checklist 17
def test_after_a_new_private_key_a_ping_gets_through_at_once(net: Network) -> None:
    a, b = net.established_pair()
    a.private_key = PrivateKey(os.urandom(32))

    a.device.set_private_key(a.private_key, net.now)
    peer = b.device.add_peer(a.public_key, net.now)
    b.device.set_endpoint(peer, a.endpoint, net.now)
    for prefix in a.peer(b).allowed_ips:
        a.device.allowed_ips.insert(prefix, a.peer(b))
    b.device.allowed_ips.insert(ipaddress.ip_network(a.inner), peer)
    a.send(b, b"new key")
    net.run_for(0.1)

    assert b.payloads == [b"new key"]


def test_setting_the_same_private_key_keeps_sessions(net: Network) -> None:
    a, b = net.established_pair()

    a.device.set_private_key(PrivateKey(a.private_key.reveal_bytes()), net.now)

    assert a.has_session(b)


def test_packets_staged_before_the_key_leave_with_it(net: Network) -> None:
    a, b = net.pair()
    a.device.set_private_key(None, net.now)
    a.send(b, b"early")
    assert net.records == []

    a.device.set_private_key(a.private_key, net.now)
    net.drain()
    net.run_for(1)

    assert b.payloads == [b"early"]


# checklist 23
def test_a_device_that_is_down_sends_and_takes_nothing(net: Network) -> None:
    a, b = net.established_pair()
    a.send(b)
    (record,) = net.sent("data")
    b.device.down(net.now)
    b.device.down(net.now)

    net.run_for(1)
    b.device.send_packet(ip_packet(b.inner, a.inner), net.now)

    assert b.device.next_deadline() is None
    assert b.drops[DropReason.PEER_STOPPED] == 2
    assert b.payloads == []
    assert record.fate == "delivered"


def test_going_down_drops_what_waits(net: Network) -> None:
    a, b = net.pair()
    a.send(b)
    (record,) = net.sent("initiation")
    net.inject(record.datagram, source=a.endpoint, to=b, drain=False)
    b.device.send_packet(ip_packet(b.inner, a.inner), net.now)
    assert b.device.next_deadline() == net.now
    assert b.device.pending_handshakes == 2, "theirs, and ours for the packet"

    b.device.down(net.now)

    assert b.drops[DropReason.PEER_STOPPED] == 2
    assert b.device.pending_handshakes == 0


# checklist 22
def test_a_keepalive_is_sent_when_switched_on_and_when_the_interface_comes_up(net: Network) -> None:
    a, b = net.established_pair()
    a.device.set_persistent_keepalive(a.peer(b), 10, net.now)
    a.device.set_persistent_keepalive(a.peer(b), 20, net.now)
    net.drain()
    assert net.count("keepalive", sender=a) == 1

    a.device.down(net.now)
    a.device.up(net.now)
    a.device.up(net.now)
    net.drain()

    assert net.count("initiation", sender=a) == 1
    assert a.peer(b).persistent_keepalive_s == 20


@pytest.mark.parametrize("interval_s", [-1, 65536])
def test_a_keepalive_interval_is_sixteen_bits(device: Device, interval_s: int) -> None:
    with pytest.raises(ValueError):
        device.set_persistent_keepalive(device.add_peer(new_public_key(), 0), interval_s, 0)


def test_a_preshared_key_of_zeros_is_none(device: Device) -> None:
    peer = device.add_peer(new_public_key(), 0)

    device.set_preshared_key(peer, PresharedKey(bytes(32)), 0)
    assert peer.preshared_key is None

    device.set_preshared_key(peer, PresharedKey(bytes([1]) * 32), 0)
    assert peer.preshared_key == PresharedKey(bytes([1]) * 32)


def test_a_first_endpoint_starts_a_peer_that_keeps_alive(net: Network) -> None:
    a, b = net.node("a"), net.node("b")
    b.configure(a)
    peer = a.configure(b, keepalive_s=25, endpoint=False)
    net.run_for(100)
    assert net.records == []

    a.device.set_endpoint(peer, b.endpoint, net.now)
    net.run_for(1)

    assert a.has_session(b)
    assert b.has_session(a)


# checklist 35
def test_sticky_sources_are_cleared_on_request_and_with_a_new_endpoint(net: Network) -> None:
    a, b = net.established_pair()
    peer = a.peer(b)
    assert peer.local == LocalAddress(a.endpoint.host, 1)

    a.device.clear_sticky_sources()
    assert peer.local is None
    b.send(a)
    net.run_for(0.1)
    assert peer.local is not None
    a.device.set_endpoint(peer, ELSEWHERE, net.now)

    assert peer.local is None


def test_every_packet_that_cannot_be_sent_is_counted(net: Network) -> None:
    a, b = net.pair()
    low_order = a.device.add_peer(PublicKey(bytes(32)), net.now)
    a.device.set_endpoint(low_order, ELSEWHERE, net.now)
    a.device.allowed_ips.insert(ipaddress.ip_network("10.99.0.1"), low_order)
    a.device.set_endpoint(a.peer(b), None, net.now)

    for packet in (
        b"",
        b"\x45" + bytes(10),
        b"\x55" + bytes(30),
        ip_packet(a.inner, "10.250.0.1"),
        ip_packet(a.inner, b.inner),
        ip_packet(a.inner, "10.99.0.1"),
    ):
        a.device.send_packet(packet, net.now)

    assert a.drops == {
        DropReason.BAD_PACKET_LENGTH: 2,
        DropReason.BAD_PACKET_VERSION: 1,
        DropReason.NO_ROUTE_TO_PEER: 1,
        DropReason.NO_ENDPOINT: 1,
        DropReason.LOW_ORDER_KEY: 1,
    }
    assert a.device.poll() == []


def test_every_datagram_that_cannot_be_taken_is_counted(net: Network) -> None:
    a, b = net.established_pair()
    a.send(b, b"once")
    data = net.sent("data")[0].datagram
    net.run_for(0.1)

    spoiled = bytearray(data)
    spoiled[8:16] = (1000).to_bytes(8, "little")
    for datagram in (
        b"",
        b"\1\0\0",
        b"\5\0\0\0",
        b"\1\0\0\0" + bytes(100),
        b"\2\0\0\0" + bytes(88),
        b"\3\0\0\0\xff\xff\xff\xff" + bytes(56),
        b"\4\0\0\0" + bytes(20),
        b"\4\0\0\0" + bytes(40),
        data,
        bytes(spoiled),
    ):
        net.inject(datagram, source=ELSEWHERE, to=b)

    assert b.drops == {
        DropReason.MALFORMED_MESSAGE: 4,
        DropReason.UNKNOWN_MESSAGE_TYPE: 1,
        DropReason.BAD_MAC1: 1,
        DropReason.UNKNOWN_INDEX: 2,
        DropReason.REPLAYED: 1,
        DropReason.BAD_TAG: 1,
    }
    assert b.payloads == [b"once"]
    assert b.peer(a).endpoint == a.endpoint


def test_without_a_private_key_no_handshake_is_for_us(net: Network) -> None:
    a, b = net.pair()
    b.device.set_private_key(None, net.now)

    a.send(b)
    net.run_for(1)

    assert b.drops[DropReason.BAD_MAC1] == 1


# checklist 28
def test_padding_follows_the_mtu_of_the_interface(net: Network) -> None:
    a, b = net.established_pair()
    a.device.mtu_bytes = 1300
    assert a.device.mtu_bytes == 1300

    a.send(b, bytes(1279))
    net.run_for(1)

    assert net.sent("data")[0].size == 1300 + 32
    assert b.payloads == [bytes(1279)]


def test_last_handshake_is_told_in_both_clocks(net: Network) -> None:
    a, b = net.pair()
    assert (a.peer(b).last_handshake, a.peer(b).last_handshake_wall) == (None, (0, 0))
    a.send(b)
    net.run_for(1)

    at = a.peer(b).last_handshake
    assert at is not None
    assert a.peer(b).last_handshake_wall[0] == int(1_700_000_000 + at)
    assert [event.is_initiator for _, event in b.events] == [False]  # type: ignore[union-attr]
