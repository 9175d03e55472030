# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Underlays that lose, double, delay and reorder; packets at the edges of the MTU; datagrams in fragments."""

from __future__ import annotations

import pytest
from support.netns import Lab, Namespace
from support.topologies import bad_link_pair
from support.traffic import PingStream, Transfer, ask_udp_echo, udp_echo
from support.wireguard import OURS, PORT, THEIRS, TunnelEnd

pytestmark = pytest.mark.netns

WITH_GO = [pytest.param(OURS, THEIRS, id="ours-go"), pytest.param(THEIRS, OURS, id="go-ours")]
with_go = pytest.mark.parametrize(("left", "right"), WITH_GO)
MTU = 1420
PING_HEADERS = {4: 20 + 8, 6: 40 + 8}


def lose_at_random(namespace: Namespace, percent: int) -> None:
    """Of the tunnel's datagrams that come in, so many are lost."""
    namespace.run(
        "nft",
        "-f",
        "/dev/stdin",
        text=f"""
        add table inet harm
        add chain inet harm in {{ type filter hook input priority 0; }}
        add rule inet harm in udp dport {PORT} numgen random mod 100 < {percent} counter drop
        """,
    )


@with_go
def test_files_arrive_unharmed_both_ways_over_a_link_that_harms(lab: Lab, left: str, right: str) -> None:
    # checklist 27
    one, two, relay = bad_link_pair(lab, left, right, lost=0.005, doubled=0.02, late=0.05, late_ms=5)

    transfers = [
        Transfer(one.namespace, two.namespace, two.addresses[0], lab.directory, size=6 << 20, port=7101),
        Transfer(two.namespace, one.namespace, one.addresses[1], lab.directory, size=6 << 20, port=7102),
    ]
    for transfer in transfers:
        transfer.assert_unharmed()

    relay.stop()
    for harm in ("lost", "doubled", "late"):
        assert f"'{harm}'" in relay.output, relay.output


@with_go
@pytest.mark.parametrize("family", ["v4", "v6"])
def test_files_arrive_unharmed_where_every_fiftieth_datagram_is_lost(
    make_pair, lab: Lab, left: str, right: str, family: str
) -> None:
    one, two = make_pair(left, right, family)
    one.ping(two.addresses[0])
    for end in (one, two):
        lose_at_random(end.namespace, 2)

    transfers = [
        Transfer(one.namespace, two.namespace, two.addresses[0], lab.directory, size=8 << 20, port=7101),
        Transfer(two.namespace, one.namespace, one.addresses[1], lab.directory, size=8 << 20, port=7102),
    ]
    for transfer in transfers:
        transfer.assert_unharmed()

    for end in (one, two):
        assert "packets 0 " not in end.namespace.run("nft", "list", "table", "inet", "harm").stdout


@pytest.mark.slow
@with_go
def test_a_handshake_succeeds_in_the_end_on_a_link_that_loses_a_quarter(make_pair, left: str, right: str) -> None:
    # checklist 18
    one, two = make_pair(left, right)
    for end in (one, two):
        lose_at_random(end.namespace, 25)

    PingStream(one.namespace, two.addresses[0], 0.1).wait_for_replies(3, 100)

    assert int(one.show("latest-handshakes")[two.public_key]) > 0


def ping_unfragmented(end: TunnelEnd, address: str, size: int, wait_s: str = "5") -> tuple[bool, str]:
    result = end.namespace.run("ping", "-M", "do", "-c", "1", "-W", wait_s, "-s", str(size), address, check=False)
    return result.returncode == 0, result.stdout + result.stderr


@with_go
@pytest.mark.parametrize("family", ["v4", "v6"])
def test_a_packet_of_exactly_the_mtu_passes_and_one_byte_more_does_not(
    make_pair, left: str, right: str, family: str
) -> None:  # checklist 28, 32
    one, two = make_pair(left, right, family)

    for version, address in ((4, two.addresses[0]), (6, two.addresses[1])):
        fits = MTU - PING_HEADERS[version]
        passed, text = ping_unfragmented(one, address, fits)
        assert passed, text
        passed, text = ping_unfragmented(one, address, fits + 1, "0.2")
        assert not passed
        assert "too long" in text


@pytest.mark.parametrize("mtu_bytes", [1281, 1440])
def test_a_new_mtu_holds_at_once(make_pair, mtu_bytes: int) -> None:  # checklist 28
    one, two = make_pair(OURS, THEIRS)
    one.ping(two.addresses[0])
    for end in (one, two):
        end.namespace.run("ip", "link", "set", end.name, "mtu", str(mtu_bytes))

    for end, other in ((one, two), (two, one)):
        fits = mtu_bytes - PING_HEADERS[4]
        passed, text = ping_unfragmented(end, other.addresses[0], fits)
        assert passed, text
        assert not ping_unfragmented(end, other.addresses[0], fits + 1, "0.2")[0]


@with_go
def test_datagrams_of_every_size_come_back_whole(make_pair, left: str, right: str) -> None:  # checklist 29
    one, two = make_pair(left, right)
    sizes = (0, 1, 15, 16, 17, 1372, 1373, 1392, 1393, 2800, 9000, 32768, 65000)

    for version, address in enumerate(two.addresses):
        udp_echo(two.namespace, address)
        ask_udp_echo(one.namespace, address, (*sizes, 65507 - 20 * version))


@with_go
def test_a_tunnel_with_a_large_mtu_goes_through_fragments_of_the_underlay(make_pair, left: str, right: str) -> None:
    one, two = make_pair(left, right)
    for end in (one, two):
        end.namespace.run("ip", "link", "set", end.name, "mtu", "9000")

    for end, other in ((one, two), (two, one)):
        passed, text = ping_unfragmented(end, other.addresses[0], 9000 - PING_HEADERS[4])
        assert passed, text
