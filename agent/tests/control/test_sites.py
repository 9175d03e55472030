# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Sites, the groups of several gateways, through the only door for change and through UAPI."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.configs import HUBS, LAN, SITE, SITE_CONF, SITE_TOML, SPOKES
from support.control import Bench
from wirefleet_agent.config import TunnelConfig, parse, plan_changes, without_peers
from wirefleet_agent.config import changes as c
from wirefleet_agent.control import uapi
from wirefleet_agent.core import Group
from wirefleet_agent.errors import RefusedError

FIRST, SECOND, _ = SPOKES


class Host:
    """A bench with a hub's configuration on it, and what it has been given since."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.config = parse(SITE_CONF, SITE_TOML, name="wf0")
        self.bench.applier.apply(plan_changes(None, self.config), 1.0)

    @property
    def site(self) -> Group:
        return self.bench.device.groups[SITE]

    @property
    def ways(self) -> tuple[object, object]:
        direct = self.site.direct
        return self.site.active.public_key, None if direct is None else direct.public_key

    def give(self, config: TunnelConfig) -> list[str]:
        applied = self.bench.applier.apply(plan_changes(self.config, config), 3.0)
        self.config = config
        return [change.op for change in applied.changes]

    def set_conf(self, *, without: object = None) -> None:
        """As ``wg setconf`` with what ``wg showconf`` says: all peers go and come back in one transaction."""
        device = self.bench.device
        lines = ["set=1", "replace_peers=true"]
        for peer in device.peers.values():
            if peer.public_key == without:
                continue
            lines.append(f"public_key={peer.public_key.hex()}")
            lines += [f"allowed_ip={prefix}" for prefix in device.prefixes_to(peer)]
        (request,) = uapi.RequestReader().feed(("\n".join(lines) + "\n\n").encode())
        assert isinstance(request, uapi.SetRequest)
        self.bench.applier.apply(uapi.parse_set(request.body, device), 4.0)


@pytest.fixture
def host() -> Host:
    return Host()


def test_a_site_begins_with_the_gateway_that_has_the_prefixes_in_the_conf(host: Host) -> None:
    assert host.ways == (FIRST, FIRST)
    assert host.site.prefixes == LAN
    assert [peer.public_key for peer in host.site.gateways] == [FIRST, SECOND]
    assert [peer.public_key for peer in host.site.members] == [FIRST, SECOND, *HUBS[1:]]


@pytest.mark.parametrize(("to", "direct"), [(SECOND, SECOND), (HUBS[1], SECOND)])
def test_a_configuration_given_again_switches_nothing_back(host: Host, to: object, direct: object) -> None:
    host.bench.device.switch(host.site, to, 2.0, direct=direct)  # type: ignore[arg-type]

    assert host.give(host.config) == []
    host.bench.applier.apply(plan_changes(None, host.config), 3.0)

    assert host.ways == (to, direct)


def test_another_gateway_in_the_conf_is_used_at_once(host: Host) -> None:
    conf = SITE_CONF.replace(", 10.1.0.0/16, fd01::/64", "").replace("12/32", "12/32, 10.1.0.0/16, fd01::/64")

    assert host.give(parse(conf, SITE_TOML, name="wf0")) == ["set_group"]

    assert host.ways == (SECOND, SECOND)


def test_a_site_with_another_name_keeps_its_gateway_and_its_way(host: Host) -> None:
    host.bench.device.switch(host.site, HUBS[2], 2.0, direct=SECOND)

    host.give(parse(SITE_CONF, SITE_TOML.replace(SITE, "lan"), name="wf0"))

    group = host.bench.device.groups["lan"]
    assert group.active.public_key == HUBS[2]
    assert group.direct is not None
    assert group.direct.public_key == SECOND
    assert group.prefixes == LAN


def test_a_revoked_gateway_leaves_the_lan_to_the_other_one(host: Host) -> None:
    host.give(without_peers(host.config, {FIRST}))

    groups = host.bench.device.groups
    assert SITE not in groups
    assert set(LAN) <= set(groups[str(SECOND)].prefixes)


def test_a_site_outlasts_wg_setconf_with_its_gateways_and_its_way(host: Host) -> None:
    host.bench.device.switch(host.site, HUBS[1], 2.0, direct=SECOND)

    host.set_conf()

    assert host.ways == (HUBS[1], SECOND)
    assert [peer.public_key for peer in host.site.gateways] == [FIRST, SECOND]
    assert host.site.prefixes == LAN


def test_wg_setconf_without_the_gateway_in_use_leaves_the_other_one(host: Host) -> None:
    host.bench.device.switch(host.site, HUBS[1], 2.0)

    host.set_conf(without=FIRST)

    assert host.ways == (HUBS[1], SECOND)
    assert [peer.public_key for peer in host.site.gateways] == [SECOND]


def test_a_gateway_that_wg_removes_is_replaced_and_the_next_configuration_brings_it_back(host: Host) -> None:
    host.bench.device.remove_peer(FIRST, 2.0)
    assert host.ways == (SECOND, SECOND)

    host.bench.applier.apply(plan_changes(None, host.config), 3.0)

    assert [peer.public_key for peer in host.site.gateways] == [FIRST, SECOND]


def test_wg_shows_a_sites_prefixes_at_whom_they_are_sent_to_and_its_name_at_the_gateways(host: Host) -> None:
    host.bench.device.switch(host.site, HUBS[1], 2.0, direct=SECOND)

    shown: dict[str, list[str]] = {}
    for line in host.bench.get():
        key, _, value = line.partition("=")
        if key == "public_key":
            mine = shown[value] = []
        elif line in (f"group={SITE}", f"allowed_ip={LAN[0]}"):
            mine.append(key)

    assert shown[FIRST.hex()] == shown[SECOND.hex()] == ["group"]
    assert shown[HUBS[1].hex()] == ["group", "allowed_ip"]
    assert shown[HUBS[2].hex()] == []


@pytest.mark.parametrize("gateways", [(SECOND,), (FIRST, HUBS[1])])
def test_gateways_that_are_no_members_or_lack_the_direct_one_are_refused(host: Host, gateways: tuple[object]) -> None:
    change = c.SetGroup("x", (FIRST, SECOND), LAN, FIRST, FIRST, gateways=gateways)  # type: ignore[arg-type]

    with pytest.raises(RefusedError, match="gateways are members, and the direct one is one of them"):
        host.bench.applier.check([change])


def test_nothing_is_planned_between_two_equal_configurations(host: Host) -> None:
    assert plan_changes(host.config, replace(host.config)) == ()
