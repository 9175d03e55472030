# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Changes to a tunnel that is in use: what they concern changes at once, and nothing else notices."""

from __future__ import annotations

import socket
import time

import pytest
from support.netns import Lab, run, wait_until
from support.topologies import OVERLAYS, dual_stack_pair
from support.traffic import GENTLE_WINDOW_BYTES, PingStream, Transfer, is_silent
from support.wireguard import OURS, THEIRS, TunnelEnd

pytestmark = pytest.mark.netns

WITH_GO = [pytest.param(OURS, THEIRS, id="ours-go"), pytest.param(THEIRS, OURS, id="go-ours")]
with_go = pytest.mark.parametrize(("left", "right"), WITH_GO)


def public_keys(count: int) -> list[str]:
    return [run("wg", "pubkey", text=run("wg", "genkey").stdout).stdout.strip() for _ in range(count)]


def peer_section(key: str, allowed_ips: str, *lines: str) -> str:
    return "\n".join(("[Peer]", f"PublicKey = {key}", f"AllowedIPs = {allowed_ips}", *lines, ""))


def test_syncconf_of_other_peers_costs_the_running_ones_nothing(make_pair, lab: Lab) -> None:
    one, two = make_pair(OURS, THEIRS)
    one.ping(two.addresses[0])
    conf = one.wg("showconf", one.name)
    others = public_keys(12)
    handshake = one.show("latest-handshakes")[two.public_key]

    there = PingStream(one.namespace, two.addresses[0])
    back = PingStream(two.namespace, one.addresses[1])
    transfer = Transfer(
        two.namespace,
        one.namespace,
        one.addresses[0],
        lab.directory,
        size=24 << 20,
        window_bytes=GENTLE_WINDOW_BYTES,
    )
    for turn in range(20):
        chosen = others[turn % 4 :: 2]
        extra = "".join(peer_section(key, f"10.{100 + n}.0.0/16, fd{n:02x}::/16") for n, key in enumerate(chosen))
        one.configure(conf + extra, verb="syncconf")
        assert set(one.show("peers")) == {two.public_key, *chosen}
    one.configure(conf, verb="syncconf")
    transfer.assert_unharmed()

    assert (there.missing(), back.missing()) == ([], [])
    assert one.show("latest-handshakes") == {two.public_key: handshake}


@with_go
def test_after_a_new_private_key_the_next_ping_is_answered_at_once(make_pair, left: str, right: str) -> None:
    # checklist 17
    one, two = make_pair(left, right)
    ours, theirs = (one, two) if one.implementation == OURS else (two, one)
    ours.ping(theirs.addresses[0])
    old_key = ours.public_key
    ours.private_key = run("wg", "genkey").stdout.strip()
    ours.public_key = run("wg", "pubkey", text=ours.private_key).stdout.strip()
    theirs.wg("set", theirs.name, "peer", old_key, "remove")
    theirs.add_peer(ours)

    ours.wg("set", ours.name, "private-key", "/dev/stdin", text=ours.private_key)
    ours.ping(theirs.addresses[0], count=1)

    assert ours.wg("show", ours.name, "public-key").strip() == ours.public_key
    # Within the 5 s that a second initiation would have had to wait: the first one did it.
    assert theirs.transfer(ours)[0] < 148 * 2 + 32 + 128 + 1
    theirs.ping(ours.addresses[1])


def test_an_allowed_ip_that_moves_takes_its_traffic_to_the_other_peer(lab: Lab) -> None:  # checklist 38
    hub_ns = lab.namespace("hub")
    hub = TunnelEnd(lab, hub_ns, OURS, "192.0.2.1", "10.9.0.1/24")
    hub.start()
    hub.up()
    spokes = []
    for number, implementation in ((2, OURS), (3, THEIRS)):
        namespace = lab.namespace(f"spoke{number}")
        lab.link(namespace, hub_ns, f"192.0.{number}.2/24", f"192.0.{number}.1/24")
        spoke = TunnelEnd(lab, namespace, implementation, f"192.0.{number}.2", f"10.9.0.{number}/24 10.50.0.1/32")
        spoke.start()
        spoke.wg(
            "set", spoke.name, "peer", hub.public_key, "allowed-ips", hub.host_prefixes,
            "endpoint", f"192.0.{number}.1:{hub.port}",
        )  # fmt: skip
        hub.add_peer(spoke, allowed_ips=f"10.9.0.{number}/32")
        spoke.up()
        spokes.append(spoke)
    first, second = spokes
    hub_ns.run("ip", "route", "add", "10.50.0.0/16", "dev", hub.name)
    keep = PingStream(hub_ns, "10.9.0.2")

    for owner, other in ((first, second), (second, first), (first, second)):
        own, others = hub.transfer(owner)[1], hub.transfer(other)[1]
        hub.wg("set", hub.name, "peer", owner.public_key, "allowed-ips", f"{owner.addresses[0]}/32,10.50.0.0/16")
        hub.ping("10.50.0.1", count=5, size=1000)
        assert hub.transfer(owner)[1] - own > 5 * 1000
        if other is second:
            assert hub.transfer(other)[1] - others < 1000

    assert hub.show("allowed-ips")[second.public_key] == "10.9.0.3/32"
    assert keep.missing() == []


def test_a_peer_removed_under_load_ends_alone(lab: Lab, make_pair) -> None:  # checklist 39
    one, two = make_pair(OURS, THEIRS)
    third_ns = lab.namespace("third")
    lab.link(third_ns, one.namespace, "203.0.113.2/24", "203.0.113.1/24")
    three = TunnelEnd(lab, third_ns, THEIRS, "203.0.113.2", "10.9.0.3/24")
    three.start()
    three.wg(
        "set", three.name, "peer", one.public_key, "allowed-ips", one.host_prefixes,
        "endpoint", f"203.0.113.1:{one.port}",
    )  # fmt: skip
    three.up()
    one.add_peer(three)
    # One after the other: two first initiations that cross each other cost both ends 5 s.
    for end in (two, three):
        end.ping(one.addresses[0], count=1)
    stays = PingStream(one.namespace, two.addresses[0])
    goes = [PingStream(three.namespace, one.addresses[0]), PingStream(one.namespace, three.addresses[0])]
    for stream in (stays, *goes):
        stream.wait_for_replies(20)

    one.wg("set", one.name, "peer", three.public_key, "remove")
    answered = [len(stream.received) for stream in goes]
    stays.wait_for_replies(100)

    assert stays.missing() == []
    for stream, count in zip(goes, answered, strict=True):
        assert len(stream.received) - count <= 3, "packets that were on their way"
    assert list(one.show("peers")) == [two.public_key]


@with_go
def test_a_listen_port_that_moves_is_followed_both_ways(make_pair, left: str, right: str) -> None:  # checklist 33
    one, two = make_pair(left, right)
    ours, theirs = (one, two) if one.implementation == OURS else (two, one)
    ours.ping(theirs.addresses[0])

    for port in (40001, 40002):
        ours.wg("set", ours.name, "listen-port", str(port))
        assert ours.wg("show", ours.name, "listen-port").strip() == str(port)
        ours.ping(theirs.addresses[0], count=1)
        assert theirs.show("endpoints") == {ours.public_key: f"{ours.underlay}:{port}"}
        theirs.ping(ours.addresses[0], count=1)


def test_a_port_that_somebody_holds_is_refused_and_traffic_goes_on(make_pair) -> None:  # checklist 34, 43
    one, two = make_pair(OURS, THEIRS)
    stream = PingStream(one.namespace, two.addresses[0])
    holder = one.namespace.call(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    with holder:
        holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        holder.bind(("::", 40003))
        stream.wait_for_replies(10)

        refused = one.namespace.run("wg", "set", one.name, "listen-port", "40003", check=False)

    assert refused.returncode != 0
    assert "in use" in refused.stderr
    assert one.wg("show", one.name, "listen-port").strip() == str(one.port)
    assert stream.missing() == []
    one.wg("set", one.name, "listen-port", "40003")
    one.ping(two.addresses[0], count=1)


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_the_mark_decides_which_routes_the_underlay_takes(make_pair, family: str) -> None:  # checklist 36
    one, two = make_pair(OURS, THEIRS, family)
    ip = ("ip", "-6") if family == "v6" else ("ip", "-4")
    one.ping(two.addresses[0])
    for rule in (("to", two.underlay, "lookup", "77"), ("fwmark", "0x4d", "lookup", "main")):
        one.namespace.run(*ip, "rule", "add", "priority", "100" if rule[0] == "to" else "99", *rule)
    one.namespace.run(*ip, "route", "add", "blackhole", "default", "table", "77")

    assert is_silent(one.namespace, two.addresses[0])
    one.wg("set", one.name, "fwmark", "0x4d")
    one.ping(two.addresses[0])
    one.wg("set", one.name, "fwmark", "off")
    assert is_silent(one.namespace, two.addresses[0])
    one.wg("set", one.name, "fwmark", "77")
    wait_until(lambda: one.ping(two.addresses[0], count=1, check=False), "the marked way", 30)


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_the_answer_comes_from_the_address_that_was_asked(lab: Lab, family: str) -> None:  # checklist 35
    one, two, (link, _) = dual_stack_pair(lab, OURS, THEIRS)
    second, bits = ("192.0.2.11", 24) if family == "v4" else ("2001:db8:1::11", 64)
    one.namespace.run("ip", "address", "add", f"{second}/{bits}", "dev", link, *(("nodad",) if bits == 64 else ()))
    # What the kernel would choose by itself must be the other one.
    route = one.namespace.run("ip", "route", "get", two.underlay if family == "v4" else "2001:db8:1::2").stdout
    if second in route:
        one.namespace.run("ip", "-6", "route", "replace", "2001:db8:1::/64", "dev", link, "src", "2001:db8:1::1")
    for end, other, knows in ((one, two, False), (two, one, True)):
        end.start()
        end.up()
        end.add_peer(other, knows_endpoint=knows)
    asked = f"[{second}]:{one.port}" if bits == 64 else f"{second}:{one.port}"
    two.wg("set", two.name, "peer", one.public_key, "endpoint", asked)

    two.ping(one.addresses[0])
    for unrelated in (
        ("address", "add", "198.51.100.1/32", "dev", link),
        ("route", "add", "10.7.0.0/16", "dev", one.name),
    ):
        one.namespace.run("ip", *unrelated)
        time.sleep(0.3)  # by then the agent has made up its mind about it
    one.ping(two.addresses[1])

    assert two.show("endpoints") == {one.public_key: asked}
    assert OVERLAYS[0].startswith(one.addresses[0])


def test_a_tunnel_without_any_peer_is_silent_and_a_peer_without_endpoint_waits(make_pair) -> None:
    one, two = make_pair(OURS, THEIRS, joined=False)
    for end in (one, two):
        end.start()
        end.up()
    one.add_peer(two, knows_endpoint=False)

    one.namespace.run("ping", "-c", "1", "-W", "1", two.addresses[0], check=False)
    assert one.transfer(two) == (0, 0)
    two.add_peer(one)
    two.ping(one.addresses[0])

    one.ping(two.addresses[0], count=1)
