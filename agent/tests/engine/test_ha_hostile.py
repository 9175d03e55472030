# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a hub does with heartbeats that are not what they should be, or not from whom they say."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.ha_net import HEARTBEAT_PORT, OVERLAY, HaHost, HaNet
from support.packets import ip_packet
from wirefleet_agent.drivers.interfaces import Heartbeat
from wirefleet_agent.engine.ha_settings import GroupSettings
from wirefleet_agent.errors import DriverError
from wirefleet_agent.ha.messages import Claim, Flag, Reply, Request, build_claims, build_reply, build_request
from wirefleet_agent.keys import PublicKey


@pytest.fixture
def net() -> Iterator[HaNet]:
    made = HaNet(spokes=2).settled()
    yield made
    made.close()


def packed(host: HaHost) -> bytes:
    return ipaddress.ip_address(host.overlay).packed


def hit(net: HaNet, target: HaHost, payload: bytes, source: bytes, port: int = HEARTBEAT_PORT) -> None:
    """A datagram on the target's socket."""
    target.sockets.arrive(Heartbeat(payload, source, port, packed(target)))
    net.turn()


def test_a_source_that_is_no_peer_is_not_answered(net: HaNet) -> None:
    hub = net.hubs[0]
    sent = hub.ha.counters.replies_sent

    hit(net, hub, build_request(Request(1)), ipaddress.ip_address("10.86.77.1").packed)

    assert hub.ha.counters.dropped == {"unknown_source": 1}
    assert hub.ha.counters.replies_sent == sent


def test_another_program_of_a_peers_host_is_not_believed(net: HaNet) -> None:
    hub, spoke = net.hubs[0], net.spokes[0]
    word = build_request(Request(1, 0, net.hubs[2].public_key, 2**31, 0, 99))

    hit(net, hub, word, packed(spoke), port=40000)

    assert hub.ha.counters.dropped == {"wrong_port": 1}
    assert hub.via(spoke) is None


def test_random_bytes_of_a_peer_are_counted_and_change_nothing(net: HaNet) -> None:
    hub, spoke = net.hubs[0], net.spokes[0]
    generator = random.Random(5)
    for _ in range(50):
        hit(net, hub, generator.randbytes(generator.randrange(200)), packed(spoke))

    assert hub.ha.counters.dropped["malformed"] == 50
    net.run_for(2)
    assert hub.via(spoke) is None
    assert spoke.active == hub.public_key


def test_a_later_version_is_counted_by_its_own_name(net: HaNet) -> None:
    hit(net, net.hubs[0], b"WF\x09" + build_request(Request(1))[3:], packed(net.spokes[0]))

    assert net.hubs[0].ha.counters.dropped == {"unknown_version": 1}


def test_a_flood_of_one_peer_is_answered_up_to_a_limit_and_others_are_answered(net: HaNet) -> None:
    hub, spoke, other = net.hubs[0], *net.spokes
    sent = hub.ha.counters.replies_sent
    for number in range(1000):
        hub.sockets.arrive(
            Heartbeat(build_request(Request(10_000 + number)), packed(spoke), HEARTBEAT_PORT, packed(hub))
        )
    net.turn()

    assert hub.ha.counters.replies_sent - sent <= 131
    assert hub.ha.counters.dropped["rate_limited"] >= 860
    hit(net, hub, build_request(Request(10_000)), packed(other))
    assert hub.ha.counters.replies_sent - sent <= 132


def test_a_reply_to_nothing_is_dropped(net: HaNet) -> None:
    spoke = net.spokes[0]

    hit(net, spoke, build_reply(Reply(999_999, flags=Flag.DRAINING)), packed(net.hubs[0]))
    hit(net, spoke, build_reply(Reply(999_999, flags=Flag.PROBE)), packed(net.hubs[0]))

    assert spoke.ha.counters.dropped == {"unexpected_reply": 2}
    assert spoke.active == net.hubs[0].public_key


def test_claims_of_a_spoke_are_not_allowed(net: HaNet) -> None:
    hub, spoke, other = net.hubs[0], *net.spokes

    hit(net, hub, build_claims([Claim(other.public_key, 2**31)]), packed(spoke))

    assert hub.ha.counters.dropped == {"not_allowed": 1}
    assert hub.ha.counters.claims_received == 0


def test_a_spoke_that_names_a_stranger_as_its_hub_is_sent_to_directly(net: HaNet) -> None:
    hub, spoke = net.hubs[0], net.spokes[0]

    hit(net, hub, build_request(Request(10_000, 0, PublicKey(bytes([7]) * 32), 2**31, 0, 5)), packed(spoke))

    assert hub.via(spoke) is None


def test_a_spoke_that_tells_each_hub_another_story_makes_no_circles(net: HaNet) -> None:
    """Authentic and hostile: to each hub it says that it uses the next one, with a count that beats all others."""
    liar, other = net.spokes
    net.cut(liar, net.hubs[0])
    net.cut(liar, net.hubs[1])
    net.cut(liar, net.hubs[2])
    mine = ipaddress.ip_address(liar.overlay).packed
    for turn in range(10):
        for number, hub in enumerate(net.hubs):
            story = net.hubs[(number + 1) % 3].public_key
            word = build_request(Request(50_000 + turn, 0, story, 2**30 + turn, 0, 99))
            hub.sockets.arrive(Heartbeat(word, mine, HEARTBEAT_PORT, ipaddress.ip_address(hub.overlay).packed))
        net.run_for(0.1)
        other.tun.inject(ip_packet(other.overlay, liar.overlay, bytes(12)))
    net.run_for(1)

    assert all(hub.tun.looped == 0 for hub in net.hubs)


def test_a_probe_changes_no_route(net: HaNet) -> None:
    hub, spoke = net.hubs[2], net.spokes[0]
    before = hub.via(spoke)
    word = Request(10_000, 0, hub.public_key, 2**31, 0, 5, Flag.PROBE)

    hit(net, hub, build_request(word), packed(spoke))

    assert hub.via(spoke) == before


def test_sockets_that_cannot_be_opened_are_tried_again(net: HaNet) -> None:
    spoke = net.spokes[0]
    net.kill(spoke)
    net.start(spoke)
    spoke.ha.stop()
    spoke.sockets.fail_next = DriverError("in use", call="bind")

    spoke.ha.start()
    assert spoke.sockets.filenos() == ()
    net.run_for(6)

    assert [member.state for member in spoke.ha.group_reports()[0].members] == ["alive"] * 3


def test_a_new_configuration_keeps_what_is_known(net: HaNet) -> None:
    spoke, hub = net.spokes[0], net.hubs[0]
    net.kill(net.hubs[1])
    net.run_for(3)
    before = [(member.state, member.rtt_s) for member in spoke.ha.group_reports()[0].members]

    for host in (spoke, hub):
        host.ha.configure(net.settings(host))
    net.turn()

    assert [(member.state, member.rtt_s) for member in spoke.ha.group_reports()[0].members] == before
    assert hub.ha.spokes_using_us == 2
    net.run_for(3)
    assert spoke.ha.counters.switches == {}


def test_a_new_interval_starts_afresh_without_a_switch(net: HaNet) -> None:
    net.interval_s = 0.1
    for host in net.hosts:
        host.ha.configure(net.settings(host))
    net.run_for(3)
    flow = net.flow(*net.spokes)
    net.run_for(1)
    net.kill(net.hubs[0])
    net.run_for(2)

    assert flow.longest_gap_s <= 0.42


@pytest.mark.parametrize("change", ["interval", "name"])
def test_hubs_do_not_doubt_a_spoke_that_is_configured_anew(net: HaNet, change: str) -> None:
    """What it says afterwards has a greater switch count than all that it said before."""
    spoke, second = net.spokes[0], net.hubs[1]
    net.kill(net.hubs[0])
    net.run_for(5)
    assert spoke.active == second.public_key

    if change == "interval":
        spoke.ha.configure(replace(net.settings(spoke), interval_s=0.4))
    else:
        keys = [peer.public_key for peer in spoke.hubs.members]
        spoke.device.set_group("centres", keys, [OVERLAY], active=keys[2], now=net.clock.now)
        spoke.device.remove_group("hubs", net.clock.now)
        spoke.ha.configure(replace(net.settings(spoke), groups={"centres": GroupSettings()}))
    net.run_for(3)

    reports = [report for hub in net.hubs[1:] for report in hub.ha.spoke_reports() if report.key == spoke.public_key]
    assert {report.reason for report in reports} == {"uses_us", "uses_other"}


def test_stopped_means_silent(net: HaNet) -> None:
    spoke = net.spokes[0]
    spoke.ha.stop()
    spoke.ha.stop()
    sent = spoke.ha.counters.requests_sent
    net.run_for(3)

    assert spoke.ha.counters.requests_sent == sent
    assert spoke.sockets.filenos() == ()


def test_claims_of_hubs_are_not_limited(net: HaNet) -> None:
    hub, other = net.hubs[0], net.hubs[1]
    for number in range(300):
        claim = build_claims([Claim(net.spokes[0].public_key, number)])
        hub.sockets.arrive(Heartbeat(claim, packed(other), HEARTBEAT_PORT, packed(hub)))
    net.turn()

    assert hub.ha.counters.dropped == {}
    assert hub.ha.counters.claims_received >= 300


def test_a_mistake_in_a_turn_does_not_end_the_heartbeats(net: HaNet) -> None:
    spoke = net.spokes[0]
    failures: list[Exception] = []
    net.loop.on_error = failures.append
    decide, spoke.ha._groups.decide = spoke.ha._groups.decide, lambda now: 1 // 0  # type: ignore[method-assign]
    net.run_for(2)
    sent = spoke.ha.counters.requests_sent

    spoke.ha._groups.decide = decide  # type: ignore[method-assign]
    net.run_for(2)

    assert failures
    assert spoke.ha.counters.requests_sent - sent >= 9
