# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""AllowedIPs: who owns an address."""

from __future__ import annotations

import ipaddress
import random

import pytest
from support.net import Network
from wirefleet_agent.core import AllowedIps, Peer


@pytest.fixture
def peers(net: Network) -> list[Peer]:
    """Three peers of one device, without AllowedIPs."""
    device = net.node("device")
    made = [device.configure(net.node()) for _ in range(3)]
    for peer in made:
        device.device.allowed_ips.remove_all(peer)
    return made


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)


def owner(table: AllowedIps, address: str) -> Peer | None:
    return table.lookup(ipaddress.ip_address(address).packed)


# checklist 38
def test_the_longest_prefix_wins(peers: list[Peer]) -> None:
    wide, narrow, host = peers
    table = AllowedIps()
    table.insert(network("10.0.0.0/8"), wide)
    table.insert(network("10.1.0.0/16"), narrow)
    table.insert(network("10.1.2.3/32"), host)
    table.insert(network("::/0"), wide)
    table.insert(network("fd00::/64"), narrow)

    assert owner(table, "10.2.0.1") is wide
    assert owner(table, "10.1.0.1") is narrow
    assert owner(table, "10.1.2.3") is host
    assert owner(table, "11.0.0.1") is None
    assert owner(table, "fd00::1") is narrow
    assert owner(table, "fd01::1") is wide


# checklist 38
def test_host_bits_are_masked(peers: list[Peer]) -> None:
    table = AllowedIps()
    table.insert(ipaddress.ip_network("10.1.2.3/16", strict=False), peers[0])

    assert table.prefixes_of(peers[0]) == (network("10.1.0.0/16"),)
    assert owner(table, "10.1.255.255") is peers[0]


# checklist 38
def test_an_exact_duplicate_moves_to_the_last_peer(peers: list[Peer]) -> None:
    first, second, _ = peers
    table = AllowedIps()
    table.insert(network("10.0.0.0/24"), first)
    assert owner(table, "10.0.0.1") is first

    table.insert(network("10.0.0.0/24"), second)

    assert owner(table, "10.0.0.1") is second
    assert table.prefixes_of(first) == ()
    assert table.prefixes_of(second) == (network("10.0.0.0/24"),)


# checklist 38
def test_only_the_owner_removes_exactly_its_prefix(peers: list[Peer]) -> None:
    first, second, _ = peers
    table = AllowedIps()
    table.insert(network("10.0.0.0/24"), first)
    table.insert(network("10.0.0.0/16"), first)

    assert not table.remove(network("10.0.0.0/24"), second)
    assert not table.remove(network("10.0.0.0/25"), first)
    assert owner(table, "10.0.0.1") is first
    assert table.remove(network("10.0.0.0/24"), first)
    assert not table.remove(network("10.0.0.0/24"), first)
    assert owner(table, "10.0.0.1") is first
    assert table.remove(network("10.0.0.0/16"), first)
    assert owner(table, "10.0.0.1") is None


def test_removing_a_peer_takes_all_its_prefixes_and_no_other(peers: list[Peer]) -> None:
    first, second, _ = peers
    table = AllowedIps()
    for number in range(20):
        table.insert(network(f"10.0.{number}.0/24"), first if number % 2 else second)
    table.insert(network("fd00::/64"), first)

    table.remove_all(first)

    assert table.prefixes_of(first) == ()
    assert len(table.prefixes_of(second)) == 10
    assert owner(table, "10.0.1.1") is None
    assert owner(table, "10.0.2.1") is second


def test_prefixes_are_listed_in_the_order_of_insertion_once_each(peers: list[Peer]) -> None:
    table = AllowedIps()
    prefixes = [network("10.9.0.0/16"), network("fd00::/8"), network("10.1.0.0/16"), network("0.0.0.0/0")]

    for prefix in [*prefixes, prefixes[0]]:
        table.insert(prefix, peers[0])

    assert table.prefixes_of(peers[0]) == tuple(prefixes)


def test_made_up_addresses_do_not_grow_the_cache_for_ever(peers: list[Peer]) -> None:
    table = AllowedIps()
    table.insert(network("10.0.0.0/8"), peers[0])

    for number in range(70_000):
        table.lookup((0x0A000000 + number).to_bytes(4, "big"))

    assert len(table._v4.cache) <= 65536
    assert owner(table, "10.0.0.1") is peers[0]


def test_it_agrees_with_a_search_through_the_whole_list(peers: list[Peer]) -> None:
    draw = random.Random(6)
    table = AllowedIps()
    owners: dict[ipaddress.IPv4Network, Peer] = {}
    for _ in range(400):
        prefix = ipaddress.IPv4Network((draw.randrange(1 << 32), draw.choice([0, 8, 12, 16, 24, 30, 32])), strict=False)
        peer = draw.choice(peers)
        if draw.random() < 0.25 and owners:
            prefix, peer = draw.choice(list(owners.items()))
            del owners[prefix]
            assert table.remove(prefix, peer)
        else:
            owners[prefix] = peer
            table.insert(prefix, peer)
        base = draw.choice(list(owners))[0] if owners else ipaddress.IPv4Address(0)
        for address in (base, ipaddress.IPv4Address(draw.randrange(1 << 32))):
            matching = [known for known in owners if address in known]
            expected = owners[max(matching, key=lambda known: known.prefixlen)] if matching else None
            assert table.lookup(address.packed) is expected
