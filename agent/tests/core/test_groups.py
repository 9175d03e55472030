# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Groups: several peers own the same prefixes; outbound goes to the active one."""

from __future__ import annotations

import ipaddress

import pytest
from support.net import Network
from support.packets import ip_packet
from support.stars import BEHIND, BEHIND6, OVERLAY, OVERLAY6, Star
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PublicKey


@pytest.fixture
def star(net: Network) -> Star:
    return Star(net)


@pytest.mark.parametrize("to", [BEHIND, BEHIND6])
def test_outbound_goes_to_the_active_member(net: Network, star: Star, to: str) -> None:
    first, second, _ = star.hubs

    star.send(b"one", to=to)
    star.switch(second)
    star.send(b"two", to=to)
    net.settle()

    assert first.payloads == [b"one"]
    assert second.payloads == [b"two"]


@pytest.mark.parametrize("to", [BEHIND, BEHIND6])
def test_inbound_is_taken_from_every_member(net: Network, star: Star, to: str) -> None:
    for hub in star.hubs:
        source = star.spoke.inner6 if ":" in to else star.spoke.inner
        hub.device.send_packet(ip_packet(to, source, hub.name.encode()), net.now)
    net.drain()
    net.settle()

    assert star.spoke.payloads == [b"hub-1", b"hub-2", b"hub-3"]
    assert not star.spoke.drops


def test_inbound_of_a_group_is_not_taken_from_other_peers(net: Network, star: Star) -> None:
    stranger = net.node("stranger")
    net.connect(stranger, star.spoke)
    stranger.send(star.spoke)
    net.run_for(0.1)
    net.forget()

    stranger.device.send_packet(ip_packet(BEHIND, star.spoke.inner, b"forged"), net.now)
    net.drain()
    net.settle()

    assert star.spoke.payloads == []
    assert star.spoke.drops[DropReason.WRONG_SOURCE] == 1


def test_a_switch_costs_no_session_and_no_handshake(net: Network, star: Star) -> None:
    sessions = [peer.sessions.current for peer in star.peers]

    for hub in (*star.hubs[1:], star.hubs[0]):
        star.switch(hub)
        star.send()
    net.settle()

    assert [peer.sessions.current for peer in star.peers] == sessions
    assert net.count("initiation") == 0


def test_a_switch_leaves_the_cache_of_addresses_as_it_is(net: Network, star: Star) -> None:
    star.send()
    before = dict(star.spoke.device.allowed_ips._v4.cache)
    assert before

    star.switch(star.hubs[1])

    assert star.spoke.device.allowed_ips._v4.cache == before


def test_a_group_says_since_when_its_member_is_active(net: Network, star: Star) -> None:
    began = star.group.since
    net.run_for(5)

    star.switch(star.hubs[0])
    assert star.group.since == began
    star.switch(star.hubs[1])

    assert star.group.since == net.now
    assert star.group.active is star.peers[1]


@pytest.mark.parametrize(
    ("members", "active", "direct"),
    [
        ([], 0, None),
        ([0, 0], 0, None),
        ([0, 1], 2, None),
        ([0, 1], 0, 2),
        ([0, 1, 9], 0, None),
        (list(range(17)), 0, None),
    ],
    ids=["nobody", "twice", "active elsewhere", "direct elsewhere", "no peer", "too many"],
)
def test_a_group_that_cannot_be_is_refused_and_nothing_changes(
    net: Network, star: Star, members: list[int], active: int, direct: int | None
) -> None:
    keys = [*star.keys, *(PublicKey(net.random.randbytes(32)) for _ in range(14))]

    with pytest.raises(ValueError):
        star.spoke.device.set_group(
            "hubs",
            [keys[i] for i in members],
            [],
            active=keys[active],
            direct=None if direct is None else keys[direct],
            now=net.now,
        )

    assert star.group.members == tuple(star.peers)
    assert star.group.prefixes == (OVERLAY, OVERLAY6)
    assert list(star.spoke.device.groups) == ["hubs"]


def test_nobody_switches_to_a_stranger_or_within_a_group_that_ended(net: Network, star: Star) -> None:
    with pytest.raises(ValueError):
        star.spoke.device.switch(star.group, PublicKey(net.random.randbytes(32)), net.now)
    star.spoke.device.remove_group("hubs", net.now)
    with pytest.raises(ValueError):
        star.spoke.device.switch(star.group, star.keys[1], net.now)


def test_a_group_that_is_set_again_stays_the_same_object(net: Network, star: Star) -> None:
    device = star.spoke.device
    star.send()

    again = device.set_group("hubs", star.keys[1:], [OVERLAY6], active=star.keys[2], now=net.now)

    assert again is star.group is device.groups["hubs"]
    assert again.members == tuple(star.peers[1:])
    assert again.active is star.peers[2]
    assert again.prefixes == (OVERLAY6,)
    assert device.groups_of(star.peers[0]) == ()
    star.send()
    assert star.spoke.drops[DropReason.NO_ROUTE_TO_PEER] == 1


def test_an_exact_duplicate_moves_into_a_group_and_out_of_it(net: Network, star: Star) -> None:
    device = star.spoke.device
    peer = star.peers[0]
    device.allowed_ips.insert(OVERLAY, peer)
    assert star.group.prefixes == (OVERLAY6,)
    assert OVERLAY in peer.allowed_ips

    device.set_group("hubs", star.keys, [OVERLAY], active=star.keys[0], now=net.now)
    other = device.set_group("others", star.keys[:2], [OVERLAY6, OVERLAY], active=star.keys[1], now=net.now)

    assert star.group.prefixes == ()
    assert other.prefixes == (OVERLAY6, OVERLAY)
    assert OVERLAY not in peer.allowed_ips
    assert device.allowed_ips.owner_of(OVERLAY) is other
    assert device.allowed_ips.owner_of(ipaddress.ip_network("10.86.0.0/17")) is None


def test_what_goes_to_a_peer_is_its_own_and_that_of_the_groups_where_it_is_active(star: Star) -> None:
    first, second, _ = star.peers
    own = first.allowed_ips

    assert tuple(star.spoke.device.prefixes_to(first)) == (*own, OVERLAY, OVERLAY6)
    star.switch(star.hubs[1])

    assert tuple(star.spoke.device.prefixes_to(first)) == own == first.allowed_ips
    assert tuple(star.spoke.device.prefixes_to(second)) == (*second.allowed_ips, OVERLAY, OVERLAY6)


def test_an_active_member_that_is_removed_is_replaced_by_the_first_left(net: Network, star: Star) -> None:
    star.switch(star.hubs[1])

    star.spoke.device.remove_peer(star.keys[1], net.now)
    star.send(b"on")
    net.settle()

    assert star.group.members == (star.spoke.peer(star.hubs[0]), star.spoke.peer(star.hubs[2]))
    assert star.hubs[0].payloads == [b"on"]


def test_a_group_without_members_ends(net: Network, star: Star) -> None:
    for key in star.keys:
        star.spoke.device.remove_peer(key, net.now)

    assert not star.spoke.device.groups
    assert star.group.members == ()
    assert star.group.prefixes == ()
    star.send()
    assert star.spoke.drops[DropReason.NO_ROUTE_TO_PEER] == 1


def test_a_private_key_that_makes_us_a_member_takes_that_one_out(net: Network, star: Star) -> None:
    star.spoke.device.set_private_key(star.hubs[0].private_key, net.now)

    assert star.group.active is star.spoke.peer(star.hubs[1])
    assert len(star.group.members) == 2


def test_a_removed_group_leaves_nothing_behind(net: Network, star: Star) -> None:
    star.spoke.device.remove_group("hubs", net.now)
    star.spoke.device.remove_group("hubs", net.now)

    assert not star.spoke.device.groups
    assert star.spoke.device.groups_of(star.peers[0]) == ()
    star.send()
    assert star.spoke.drops[DropReason.NO_ROUTE_TO_PEER] == 1
    assert star.group.members == star.group.prefixes == ()


# To a peer, whatever AllowedIPs say


def test_a_probe_goes_to_the_peer_that_is_named(net: Network, star: Star) -> None:
    probe = ip_packet(star.spoke.inner, star.hubs[2].inner, b"probe")

    star.spoke.device.send_to_peer(star.peers[1], memoryview(probe), net.now)
    net.drain()
    net.settle()

    assert star.hubs[1].payloads == [b"probe"]
    assert star.hubs[2].payloads == []


def test_a_probe_waits_for_a_session_as_any_packet(net: Network) -> None:
    star = Star(net, is_warm=False)

    star.spoke.device.send_to_peer(star.peers[1], ip_packet(star.spoke.inner, BEHIND, b"probe"), net.now)
    net.run_for(0.1)

    assert star.hubs[1].payloads == [b"probe"]


def test_a_probe_that_cannot_be_sent_is_counted(net: Network, star: Star) -> None:
    device, packet = star.spoke.device, ip_packet(star.spoke.inner, BEHIND, b"probe")
    peer = star.peers[0]

    device.send_to_peer(peer, b"\x45no packet", net.now)
    device.set_endpoint(star.peers[1], None, net.now)
    device.send_to_peer(star.peers[1], packet, net.now)
    device.remove_peer(star.keys[0], net.now)
    device.send_to_peer(peer, packet, net.now)
    device.down(net.now)
    device.send_to_peer(star.spoke.peer(star.hubs[2]), packet, net.now)

    assert device.poll() == []
    assert star.spoke.drops == {
        DropReason.BAD_PACKET_LENGTH: 1,
        DropReason.NO_ENDPOINT: 1,
        DropReason.PEER_STOPPED: 2,
    }
