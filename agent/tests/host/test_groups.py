# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Groups in a running service: applied, shown, kept through changes, put right, and gone at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.configs import GROUP_CONF, GROUP_TOML, HUBS, RELAY_CONF, RELAY_TOML, SPOKES, prefixes
from support.memory_host import MemoryHost
from support.service import apply, ask
from wirefleet_agent.core import Group
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.keys import PublicKey

OVERLAY = prefixes("10.86.0.0/16", "fd86::/64")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[MemoryHost]:
    host = MemoryHost(tmp_path)
    KeyStore(Paths(tmp_path)).ensure("wf0")
    host.start()
    yield host
    if host.container is not None:
        host.crash()


def group_of(host: MemoryHost, name: str = "hubs") -> Group:
    assert host.live.tunnel is not None
    return host.live.tunnel.device.groups[name]


def switch(host: MemoryHost, to: PublicKey) -> None:
    assert host.live.tunnel is not None
    host.live.tunnel.device.switch(group_of(host), to, host.loop.now())


def moved_to(hub: int) -> str:
    """The .conf in which this hub starts active."""
    own = [f"10.86.0.{number}/32, fd86::{number}/128" for number in (1, 2, 3)]
    conf = GROUP_CONF.replace(f"{own[0]}, 10.86.0.0/16, fd86::/64", own[0])
    return conf.replace(own[hub], f"{own[hub]}, 10.86.0.0/16, fd86::/64")


def test_status_shows_members_and_who_is_active_for_how_long(host: MemoryHost) -> None:
    """Without heartbeats; with them there is more to be told, see ``test_redundancy``."""
    apply(host, GROUP_CONF, toml=GROUP_TOML.replace("[heartbeat]\nport = 51999\ninterval_ms = 100\nmisses = 4\n", ""))
    host.pass_s(5)
    switch(host, HUBS[1])
    host.pass_s(7)

    status = ask(host, "status")

    (group,) = status["groups"]
    assert [member["public_key"] for member in group["members"]] == [str(key) for key in HUBS]
    # Heartbeats, where they are on, say more: test_redundancy.py.
    assert {name: group[name] for name in ("name", "active", "active_for_s", "direct", "prefixes")} == {
        "name": "hubs",
        "active": str(HUBS[1]),
        "active_for_s": 7.0,
        "direct": None,
        "prefixes": ["10.86.0.0/16", "fd86::/64"],
    }
    allowed = {peer["public_key"]: peer["allowed_ips"] for peer in status["peers"]}
    assert allowed[str(HUBS[0])] == ["10.86.0.1/32", "fd86::1/128"]
    assert allowed[str(HUBS[1])] == ["10.86.0.2/32", "fd86::2/128", "10.86.0.0/16", "fd86::/64"]


def test_the_same_configuration_again_switches_nothing_back(host: MemoryHost) -> None:
    apply(host, GROUP_CONF, toml=GROUP_TOML)
    switch(host, HUBS[2])
    group = group_of(host)

    reply = apply(host, GROUP_CONF, toml=GROUP_TOML)

    assert (reply["changed"], reply["changes"]) == (False, [])
    assert group_of(host) is group
    assert group.active.public_key == HUBS[2]


def test_another_change_switches_nothing_back(host: MemoryHost) -> None:
    apply(host, GROUP_CONF, toml=GROUP_TOML)
    switch(host, HUBS[2])

    reply = apply(host, GROUP_CONF.replace("51820\nAddress", "51821\nAddress"), toml=GROUP_TOML)

    assert [change["op"] for change in reply["changes"]] == ["set_listen_port"]
    assert group_of(host).active.public_key == HUBS[2]


def test_an_unconfirmed_move_is_taken_back(host: MemoryHost) -> None:
    apply(host, GROUP_CONF, toml=GROUP_TOML)

    reply = apply(host, moved_to(1), toml=GROUP_TOML, confirm_timeout_s=60)
    assert [change["op"] for change in reply["changes"]] == ["set_group"]
    assert group_of(host).active.public_key == HUBS[1]
    host.pass_s(61)

    assert group_of(host).active.public_key == HUBS[0]
    assert group_of(host).prefixes == OVERLAY


def test_an_unconfirmed_group_is_taken_away_again(host: MemoryHost) -> None:
    apply(host, GROUP_CONF)
    peer = host.live.tunnel.device.peers[HUBS[0]]  # type: ignore[union-attr]
    before = set(peer.allowed_ips)

    apply(host, GROUP_CONF, toml=GROUP_TOML, confirm_timeout_s=60)
    assert group_of(host).prefixes == OVERLAY
    host.pass_s(61)

    assert ask(host, "status")["groups"] == []
    assert set(peer.allowed_ips) == before


def test_what_others_did_to_a_group_is_put_right_and_nothing_is_switched_back(host: MemoryHost) -> None:
    apply(host, GROUP_CONF, toml=GROUP_TOML)
    switch(host, HUBS[1])
    device = host.live.tunnel.device  # type: ignore[union-attr]
    device.remove_peer(HUBS[2], host.loop.now())
    device.allowed_ips.insert(OVERLAY[0], device.peers[HUBS[0]])

    apply(host, GROUP_CONF, toml=GROUP_TOML)

    group = group_of(host)
    assert [peer.public_key for peer in group.members] == list(HUBS)
    assert set(group.prefixes) == set(OVERLAY)
    assert group.active.public_key == HUBS[1]


def test_a_group_that_others_ended_is_made_again(host: MemoryHost) -> None:
    apply(host, GROUP_CONF, toml=GROUP_TOML)
    host.live.tunnel.device.remove_group("hubs", host.loop.now())  # type: ignore[union-attr]

    apply(host, GROUP_CONF, toml=GROUP_TOML)

    assert group_of(host).active.public_key == HUBS[0]
    assert group_of(host).prefixes == OVERLAY


def test_a_service_that_starts_again_has_its_groups(host: MemoryHost) -> None:
    apply(host, RELAY_CONF, toml=RELAY_TOML)
    host.crash()

    host.start()

    status = ask(host, "status")
    assert [group["direct"] for group in status["groups"]] == [str(SPOKES[0]), str(SPOKES[1])]
    device = host.live.tunnel.device  # type: ignore[union-attr]
    assert device.own_addresses == {bytes([10, 86, 0, 1])}


def test_an_invalid_group_is_refused_with_its_line_and_changes_nothing(host: MemoryHost) -> None:
    good = apply(host, GROUP_CONF, toml=GROUP_TOML)

    bad = apply(host, GROUP_CONF, toml=GROUP_TOML.replace("10.86.0.0/16", "10.87.0.0/16"))

    assert good["changed"]
    assert bad["error"]["code"] == "invalid_config"
    assert "wf0.toml:9 [[groups]] allowed_ips" in bad["error"]["path"]
    assert group_of(host).prefixes == OVERLAY
