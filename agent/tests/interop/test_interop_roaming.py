# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The underlay moves: other addresses, other families, other ports, a router that translates and forgets."""

from __future__ import annotations

import pytest
from support.netns import Lab, wait_until
from support.topologies import PUBLIC, V4, V6, Nat, dual_stack_pair
from support.traffic import PingStream
from support.wireguard import OURS, THEIRS, TunnelEnd

pytestmark = pytest.mark.netns

WITH_GO = [pytest.param(OURS, THEIRS, id="ours-go"), pytest.param(THEIRS, OURS, id="go-ours")]


def endpoint_of(end: TunnelEnd, other: TunnelEnd) -> str:
    return end.show("endpoints")[other.public_key]


@pytest.mark.parametrize(("roaming", "staying"), WITH_GO)
def test_a_peer_is_followed_to_another_address_port_and_family(lab: Lab, roaming: str, staying: str) -> None:
    # checklist 33, 34, 35
    mover, stayer, (link, _) = dual_stack_pair(lab, roaming, staying)
    for end, other in ((stayer, mover), (mover, stayer)):
        end.start()
        end.up()
        end.add_peer(other)
    mover.ping(stayer.addresses[0])
    stream = PingStream(mover.namespace, stayer.addresses[0], 0.05)
    back = PingStream(stayer.namespace, mover.addresses[1], 0.05)

    def readdress(old: str, new: str) -> None:
        """The old address goes first: what is on its way to it is lost, as when a host changes networks."""
        bits, flags = (64, ("nodad",)) if ":" in new else (24, ())
        mover.namespace.run("ip", "address", "delete", f"{old}/{64 if ':' in old else 24}", "dev", link)
        mover.namespace.run("ip", "address", "replace", f"{new}/{bits}", "dev", link, *flags)

    def assert_followed(endpoint: str) -> None:
        wait_until(lambda: endpoint_of(stayer, mover) == endpoint, f"{endpoint} is known")
        stream.wait_for_replies(3)
        back.wait_for_replies(3)

    def point_to(endpoint: str) -> None:
        mover.wg("set", mover.name, "peer", stayer.public_key, "endpoint", endpoint)

    readdress(V4[0], "192.0.2.33")
    if roaming == THEIRS:  # it keeps the address that it has lost for another 15 s, unless it is told
        point_to(stayer.endpoint)
    assert_followed(f"192.0.2.33:{mover.port}")

    mover.wg("set", mover.name, "listen-port", "41000")
    assert_followed("192.0.2.33:41000")

    mover.namespace.run("ip", "address", "delete", "192.0.2.33/24", "dev", link)
    point_to(f"[{V6[1]}]:{stayer.port}")
    assert_followed(f"[{V6[0]}]:41000")

    readdress(V6[0], "192.0.2.44")
    mover.wg("set", mover.name, "listen-port", "41001")
    point_to(stayer.endpoint)
    assert_followed("192.0.2.44:41001")


@pytest.mark.parametrize(("inside", "outside"), WITH_GO)
def test_a_keepalive_holds_the_way_through_a_nat_open(lab: Lab, inside: str, outside: str) -> None:  # checklist 22
    nat = Nat(lab, inside, outside)
    nat.forget_after(4)
    nat.start("persistent-keepalive", "1")

    wait_until(lambda: endpoint_of(nat.outside, nat.inside) != "(none)", "the first keepalive arrived")
    address, _, port = endpoint_of(nat.outside, nat.inside).partition(":")
    before = nat.outside.transfer(nat.inside)[0]
    # Seven keepalives take longer than the router remembers a silent flow.
    wait_until(lambda: nat.outside.transfer(nat.inside)[0] >= before + 7 * 32, "seven keepalives", 30)
    nat.outside.ping(nat.inside.addresses[0])

    assert address == "198.51.100.254"
    assert 40000 <= int(port) < 40100
    assert endpoint_of(nat.outside, nat.inside) == f"{address}:{port}"


@pytest.mark.parametrize(("inside", "outside"), WITH_GO)
def test_a_nat_that_forgets_is_followed_to_the_new_port(lab: Lab, inside: str, outside: str) -> None:
    # checklist 33
    nat = Nat(lab, inside, outside)
    nat.forget_after(1)
    nat.start()
    nat.inside.ping(nat.outside.addresses[0])
    first = endpoint_of(nat.outside, nat.inside)
    nat.masquerade("45000-45099")

    def is_moved() -> bool:
        nat.inside.ping(nat.outside.addresses[0], count=2, interval_s=2, check=False)
        return endpoint_of(nat.outside, nat.inside) != first

    wait_until(is_moved, "the router has forgotten the flow and chosen another port", 40)

    assert 40000 <= int(first.rpartition(":")[2]) < 40100
    assert 45000 <= int(endpoint_of(nat.outside, nat.inside).rpartition(":")[2]) < 45100
    nat.outside.ping(nat.inside.addresses[1])


@pytest.mark.parametrize(("inside", "outside"), WITH_GO)
def test_a_router_with_a_new_address_is_followed(lab: Lab, inside: str, outside: str) -> None:  # checklist 33
    nat = Nat(lab, inside, outside)
    nat.start("persistent-keepalive", "1")
    nat.inside.ping(nat.outside.addresses[0])

    nat.readdress("198.51.100.77")

    wait_until(lambda: endpoint_of(nat.outside, nat.inside).startswith("198.51.100.77:"), "the keepalive tells", 20)
    nat.outside.ping(nat.inside.addresses[0])
    assert endpoint_of(nat.inside, nat.outside) == f"{PUBLIC}:{nat.outside.port}"
