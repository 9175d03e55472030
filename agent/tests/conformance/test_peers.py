# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Peers and their AllowedIPs, coming and going; checklist 38 and 39."""

from __future__ import annotations

import gc
import ipaddress
import random

import pytest
from support.net import Network
from support.packets import ip_packet
from support.stranger import Stranger
from wirefleet_agent.core import AllowedIps, Device, Peer, constants, stamp_of
from wirefleet_agent.drops import DropReason
from wirefleet_agent.errors import RefusedError
from wirefleet_agent.keys import PrivateKey, PublicKey
from wirefleet_agent.wire import Endpoint


def prefix(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


def address(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def new_device() -> Device:
    device = Device(entropy=random.Random(7).randbytes, tai64n_now=lambda: stamp_of(1_700_000_000, 0))
    device.set_private_key(PrivateKey(bytes([3]) * 32), 0)
    device.up(0)
    return device


def peers_of(device: Device, count: int) -> list[Peer]:
    return [device.add_peer(PublicKey(bytes([9, number]) + bytes(30)), 0) for number in range(count)]


# checklist 38
def test_the_longest_prefix_wins_in_each_family() -> None:
    device = new_device()
    table = device.allowed_ips
    wide, net, host = peers_of(device, 3)
    for text, peer in [
        ("0.0.0.0/0", wide), ("10.0.0.0/8", net), ("10.1.2.3/32", host), ("10.128.0.0/9", wide),
        ("::/0", wide), ("2001:db8::/33", net), ("2001:db8::1/128", host), ("2001:db8:8000::/34", host),
    ]:  # fmt: skip
        table.insert(prefix(text), peer)

    expected = {
        "9.255.255.255": wide, "10.0.0.0": net, "10.1.2.3": host, "10.1.2.4": net, "10.127.255.255": net,
        "10.128.0.0": wide, "11.0.0.0": wide, "255.255.255.255": wide,
        "::": wide, "2001:db8::": net, "2001:db8::1": host, "2001:db8:8000::": host, "2001:db8:c000::": wide,
    }  # fmt: skip
    assert {text: table.lookup(address(text)) for text in expected} == expected


def test_an_ipv4_prefix_never_matches_the_same_bits_of_ipv6() -> None:
    device = new_device()
    (peer,) = peers_of(device, 1)
    device.allowed_ips.insert(prefix("0.0.0.0/0"), peer)

    assert device.allowed_ips.lookup(address("::ffff:10.0.0.1")) is None
    assert device.allowed_ips.lookup(address("::10.0.0.1")) is None


def test_an_exact_duplicate_moves_to_the_last_peer_that_set_it() -> None:
    device = new_device()
    table = device.allowed_ips
    first, second = peers_of(device, 2)
    table.insert(prefix("10.0.0.0/8"), first)
    assert table.lookup(address("10.1.1.1")) is first

    table.insert(prefix("10.9.9.9/8"), second)

    assert table.lookup(address("10.1.1.1")) is second
    assert first.allowed_ips == ()
    assert second.allowed_ips == (prefix("10.0.0.0/8"),)


def test_only_the_owner_can_remove_a_prefix_and_only_exactly_it() -> None:
    device = new_device()
    table = device.allowed_ips
    owner, other = peers_of(device, 2)
    table.insert(prefix("10.0.0.0/8"), owner)

    assert not table.remove(prefix("10.0.0.0/8"), other)
    assert not table.remove(prefix("10.0.0.0/9"), owner)
    assert not table.remove(prefix("0.0.0.0/0"), owner)
    assert table.lookup(address("10.1.1.1")) is owner
    assert table.remove(prefix("10.0.0.0/8"), owner)
    assert not table.remove(prefix("10.0.0.0/8"), owner)
    assert table.lookup(address("10.1.1.1")) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_table_agrees_with_a_list_that_is_searched_one_by_one(seed: int) -> None:
    print("seed", seed)
    chance = random.Random(seed)
    device = new_device()
    table = AllowedIps()
    peers = peers_of(device, 4)
    model: dict[ipaddress.IPv4Network | ipaddress.IPv6Network, Peer] = {}

    def some_address() -> str:
        if chance.random() < 0.5:
            return f"10.{chance.randrange(4)}.{chance.randrange(4)}.{chance.randrange(4)}"
        return f"fd86::{chance.randrange(4):x}:{chance.randrange(4):x}"

    for _ in range(400):
        text, peer = some_address(), chance.choice(peers)
        lengths = [0, 8, 15, 22, 30, 31, 32] if "." in text else [0, 16, 111, 127, 128]
        chosen = prefix(f"{text}/{chance.choice(lengths)}")
        action = chance.random()
        if action < 0.55:
            table.insert(chosen, peer)
            model[chosen] = peer
        elif action < 0.97:
            assert table.remove(chosen, peer) is (model.get(chosen) is peer)
            if model.get(chosen) is peer:
                del model[chosen]
        else:
            table.remove_all(peer)
            model = {key: owner for key, owner in model.items() if owner is not peer}
        wanted = ipaddress.ip_address(some_address())
        matches = [key for key in model if key.version == wanted.version and wanted in key]
        best = max(matches, key=lambda key: key.prefixlen, default=None)
        assert table.lookup(wanted.packed) is (None if best is None else model[best])
        for each in peers:
            assert set(table.prefixes_of(each)) == {key for key, owner in model.items() if owner is each}


def test_the_lookup_cache_does_not_grow_without_bound() -> None:
    device = new_device()
    (peer,) = peers_of(device, 1)
    device.allowed_ips.insert(prefix("10.0.0.0/8"), peer)

    for number in range(70_000):
        device.allowed_ips.lookup((0x0B000000 + number).to_bytes(4, "big"))

    assert len(device.allowed_ips._v4.cache) <= 65536
    assert device.allowed_ips.lookup(address("10.1.1.1")) is peer


# checklist 39
def test_a_removed_peer_gets_nothing_and_leaves_nothing(net: Network) -> None:
    a, b = net.established_pair()
    peer = a.peer(b)
    a.device.set_persistent_keepalive(peer, 25, net.now)
    net.drain(a)
    net.forget()

    a.device.remove_peer(b.public_key, net.now)
    a.device.send_packet(ip_packet(a.inner, b.inner), net.now)
    b.send(a)
    net.run_for(100)

    assert a.drops[DropReason.NO_ROUTE_TO_PEER] == 1
    assert net.sent(sender=a) == []
    assert a.delivered == []
    assert a.device.next_deadline() is None
    assert len(a.device._environment.indices) == 0
    assert not peer.is_running
    a.device.remove_peer(b.public_key, net.now)


def test_staged_packets_of_a_removed_peer_are_counted(net: Network) -> None:
    a, b = net.pair()
    net.cut(a, b)
    a.send(b)
    a.send(b)

    a.device.remove_peer(b.public_key, net.now)

    assert a.drops == {DropReason.PEER_STOPPED: 2}


def test_a_peer_removed_while_its_handshake_waits_in_the_queue_is_unknown(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()), drain=False)

    node.device.remove_peer(stranger.peer.public_key, net.now)
    net.drain(node)

    assert node.drops == {DropReason.UNKNOWN_PEER: 1}
    assert stranger.take() == []


def test_the_device_itself_and_a_peer_twice_are_refused(net: Network) -> None:
    a, b = net.pair()

    with pytest.raises(ValueError, match="own peer"):
        a.device.add_peer(a.public_key, net.now)
    with pytest.raises(ValueError, match="exists"):
        a.device.add_peer(b.public_key, net.now)
    assert list(a.device.peers) == [b.public_key]


def test_a_device_has_at_most_65536_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert constants.MAX_PEERS == 65536
    monkeypatch.setattr("wirefleet_agent.core.settings.MAX_PEERS", 3)
    device = new_device()
    peers_of(device, 3)

    with pytest.raises(RefusedError):
        device.add_peer(PublicKey(bytes([1]) * 32), 0)

    device.remove_peer(next(iter(device.peers)), 0)
    device.add_peer(PublicKey(bytes([1]) * 32), 0)


def test_a_thousand_peers_come_talk_and_go_and_nothing_is_left(net: Network) -> None:
    node = net.node()
    for number in range(1000):
        stranger = Stranger(net, node, psk=bytes([number % 256]) * 32)
        node.device.set_persistent_keepalive(stranger.peer, 25, net.now)
        if number % 3 == 0:
            stranger.initiate()
            stranger.poke()
        net.run_for(0.01)
        node.device.remove_peer(stranger.peer.public_key, net.now)
        if number % 50 == 49:
            net.records.clear()
    del stranger
    node.delivered.clear()
    node.events.clear()

    environment = node.device._environment
    assert len(node.device.peers) == len(environment.indices) == 0
    assert len(environment.timers) <= 130
    assert node.device.next_deadline() is None
    assert len(environment.timers) == 0
    assert node.device.allowed_ips._of_owner == {}
    assert node.device.allowed_ips._v4._owners == {}
    gc.collect()
    left = [each for each in gc.get_objects() if isinstance(each, Peer) and each.environment is environment]
    assert left == []


def test_reconfiguring_one_peer_disturbs_no_other(net: Network) -> None:
    a, b = net.established_pair()
    c = net.node()

    for _ in range(100):
        a.device.add_peer(c.public_key, net.now)
        a.device.set_endpoint(a.peer(c), Endpoint("192.0.2.99", 1), net.now)
        a.device.remove_peer(c.public_key, net.now)
        a.send(b, b"steady")
        net.run_for(0.02)

    assert b.payloads == [b"steady"] * 100
    assert net.count("initiation") == 0
