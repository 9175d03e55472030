# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The service with heartbeats: whole, with only its drivers and clocks replaced."""

from __future__ import annotations

import pytest
from support.redundant_hosts import HEARTBEAT, Host, pass_s
from support.service import apply, ask
from wirefleet_agent.config import parse
from wirefleet_agent.engine.ha_settings import GroupSettings
from wirefleet_agent.host.redundancy import settings_of
from wirefleet_agent.host.service import TunnelService
from wirefleet_agent.keys import PublicKey
from wirefleet_agent.wire.endpoint import Endpoint

K1, K2, K3 = (str(PublicKey(bytes([number]) * 32)) for number in (1, 2, 3))


def group(*hubs):
    members = ", ".join(f'"{hub.key}"' for hub in hubs)
    return f'[[groups]]\nname = "hubs"\nmembers = [{members}]\nallowed_ips = ["10.86.0.0/16"]\n'


def relays(*hubs):
    return "[relays]\nmembers = [" + ", ".join(f'"{hub.key}"' for hub in hubs) + "]\n"


@pytest.fixture
def fleet(tmp_path):
    """Two hubs and a spoke, configured and warm."""
    one = Host(tmp_path / "one", 1)
    two, spoke = Host(tmp_path / "two", 2, one), Host(tmp_path / "spoke", 9, one)
    hosts = (one, two, spoke)
    for host in hosts:
        host.start()
    for hub, other in ((one, two), (two, one)):
        conf = hub.conf(other.as_peer(), spoke.as_peer(is_called=False))
        apply(hub, conf, toml="schema = 1\n" + HEARTBEAT + relays(other))
    apply(spoke, spoke.conf(one.as_peer(", 10.86.0.0/16"), two.as_peer()), toml=spoke_toml(one, two))
    pass_s(8, *hosts)
    yield hosts
    for host in hosts:
        if host.container is not None:
            host.crash()


def spoke_toml(one, two):
    return "schema = 1\n" + HEARTBEAT + group(one, two)


def standings(host):
    (found,) = ask(host, "status")["groups"]
    return [member.get("standing") for member in found["members"]]


def active(host):
    (found,) = ask(host, "status")["groups"]
    return found["active"]


def test_the_status_tells_who_carries_the_traffic_and_who_answers(fleet):
    one, _, spoke = fleet

    status = ask(spoke, "status")

    assert active(spoke) == one.key
    assert standings(spoke) == ["good", "good"]
    assert status["relays"] == status["spokes"] == []
    assert status["heartbeats"]["replies_received"] > 20
    assert status["heartbeats"]["dropped"] == {}
    hub = ask(one, "status")
    (as_relay,) = hub["groups"]
    assert (as_relay["direct"], as_relay["active"]) == (spoke.key, spoke.key)
    assert [sorted(member) for member in as_relay["members"]] == [["public_key"]] * 2
    assert [each["standing"] for each in hub["relays"]] == ["good"]
    assert hub["spokes"] == [
        {"public_key": spoke.key, "is_heard": True, "hears_us": True, "via": None, "reason": "uses_us"}
    ]
    assert hub["heartbeats"]["using_us"] == 1


def test_a_dead_hub_is_left_and_the_other_hub_follows(fleet):
    one, two, spoke = fleet

    one.crash()
    pass_s(1.7, two, spoke)

    assert active(spoke) == two.key
    assert standings(spoke)[0] == "gone"
    assert ask(two, "status")["spokes"][0]["reason"] == "uses_us"
    assert ask(spoke, "status")["heartbeats"]["switches"] == {"group_active_down": 1}


def test_a_hub_that_has_sessions_but_answers_no_heartbeats_is_not_healthy(fleet):
    one, two, spoke = fleet
    assert ask(spoke, "health")["healthy"]

    apply(one, one.conf(two.as_peer(), spoke.as_peer(is_called=False)), toml="schema = 1\n" + relays(two))
    pass_s(2, *fleet)
    health = ask(spoke, "health")

    assert not health["healthy"]
    assert {peer["public_key"]: peer["answers_heartbeats"] for peer in health["peers"]} == {
        one.key: False,
        two.key: True,
    }
    assert all(peer["is_proven"] and peer["last_handshake_age_s"] is not None for peer in health["peers"])
    assert ask(spoke, "health", {"peers": [two.key]})["healthy"]
    assert {peer["answers_heartbeats"] for peer in ask(one, "health")["peers"]} == {None}
    assert health["has_quorum"] is None


def test_a_drained_hub_is_left(fleet):
    one, two, spoke = fleet

    assert one.state.drain_alone(is_on=True)
    pass_s(1, *fleet)

    assert active(spoke) == two.key
    assert standings(spoke) == ["draining", "good"]
    assert ask(one, "status")["heartbeats"]["is_draining"] is True
    assert ask(one, "status")["heartbeats"]["using_us"] == 0
    assert ask(one, "status")["spokes"][0]["via"] == two.key


def test_the_same_configuration_again_switches_nothing_back(fleet):
    one, two, spoke = fleet
    assert one.state.drain_alone(is_on=True)
    pass_s(1, *fleet)

    conf = spoke.conf(one.as_peer(", 10.86.0.0/16"), two.as_peer())
    apply(spoke, conf + "# changed\n", toml=spoke_toml(one, two))
    apply(spoke, conf.replace("Address", "MTU = 1380\nAddress"), toml=spoke_toml(one, two))
    pass_s(1, *fleet)

    assert active(spoke) == two.key
    assert ask(spoke, "status")["heartbeats"]["switches"] == {"group_active_draining": 1}


def test_without_the_section_heartbeats_end_and_with_it_they_begin(fleet):
    one, two, spoke = fleet
    conf = spoke.conf(one.as_peer(", 10.86.0.0/16"), two.as_peer())

    apply(spoke, conf, toml="schema = 1\n" + group(one, two))
    status = ask(spoke, "status")
    assert (status["relays"], status["spokes"], status["heartbeats"]) == (None, None, None)
    assert standings(spoke) == [None, None]
    assert spoke.redundancy.ha is None

    apply(spoke, conf, toml=spoke_toml(one, two))
    pass_s(2, *fleet)
    assert standings(spoke) == ["good", "good"]


def test_an_interface_that_is_made_anew_gets_heartbeats_anew(fleet):
    _, _, spoke = fleet
    spoke.drivers.made[-1].set_link(is_removed=True)
    pass_s(10, *fleet)

    assert len(spoke.drivers.made) == 2
    assert standings(spoke) == ["good", "good"]


def test_a_silent_member_is_called_where_it_is_configured_to_be(fleet):
    one, two, spoke = fleet
    two.crash()
    peer = spoke.live.tunnel.device.peers[PublicKey.from_base64(two.key)]
    spoke.live.tunnel.device.set_endpoint(peer, Endpoint("192.0.2.77", 9), spoke.time.now_s)

    pass_s(2, one, spoke)

    assert peer.endpoint == Endpoint("192.0.2.2", 51820)
    assert peer.handshake.local_index is not None
    assert ask(spoke, "status")["heartbeats"]["reconnects"] >= 1


def test_a_silent_member_with_a_name_has_it_resolved_again(fleet):
    one, two, spoke = fleet
    asked = []
    spoke.live._resolver.resolve_again = asked.append
    conf = spoke.conf(one.as_peer(", 10.86.0.0/16"), two.as_peer(endpoint="hub-2.invalid:51820"))
    apply(spoke, conf, toml=spoke_toml(one, two))
    two.crash()

    pass_s(9, one, spoke)

    assert asked.count(PublicKey.from_base64(two.key)) >= 3


@pytest.mark.parametrize("what", ["underlay", "resume"])
def test_all_members_are_asked_and_called_when_the_underlay_moves_and_after_a_resume(fleet, what):
    _, _, spoke = fleet
    before = ask(spoke, "status")["heartbeats"]
    moved = spoke.live.tunnel.on_underlay_moved
    assert moved is not None

    if what == "underlay":
        moved()
    else:
        spoke.container.get(TunnelService).underlay_changed()
    spoke.turn()

    after = ask(spoke, "status")["heartbeats"]
    assert after["requests_sent"] - before["requests_sent"] == 2
    assert after["reconnects"] - before["reconnects"] == 2


def test_what_the_files_say_becomes_settings():
    conf = f"""[Interface]
Address = 10.86.0.9/16, fd86::9/64
[Peer]
PublicKey = {K1}
AllowedIPs = 10.1.0.0/16, 10.86.0.0/16, fd86::1/128, 10.86.0.1/32, 10.86.0.111/32, 10.99.0.1/32
[Peer]
PublicKey = {K2}
AllowedIPs = 10.86.0.2/32
"""
    toml = f"""schema = 1
[heartbeat]
port = 4000
interval_ms = 100
misses = 5
[[groups]]
name = "hubs"
members = ["{K1}", "{K2}"]
allowed_ips = ["10.86.0.0/16", "10.86.0.111/32"]
policy = "priority_preempt"
hold_s = 7
"""
    settings = settings_of(parse(conf, toml, name="wf0"))

    assert settings is not None
    assert (settings.port, settings.interval_s, settings.misses) == (4000, 0.1, 5)
    assert settings.own_addresses == (bytes([10, 86, 0, 9]), bytes.fromhex("fd86") + bytes(13) + b"\x09")
    assert settings.addresses == {
        PublicKey.from_base64(K1): (bytes([10, 86, 0, 1]), bytes.fromhex("fd86") + bytes(13) + b"\x01"),
        PublicKey.from_base64(K2): (bytes([10, 86, 0, 2]),),
    }
    assert settings.groups == {"hubs": GroupSettings("priority_preempt", 7.0)}
    assert settings.relays == ()
    assert settings_of(parse(conf, "schema = 1\n", name="wf0")) is None
