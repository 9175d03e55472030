# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Groups through the only door for change, and through UAPI, which has no words for them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.configs import GROUP_CONF, GROUP_TOML, HUBS, RELAY_CONF, RELAY_TOML, SPOKES, prefixes, public_key
from support.control import Bench
from wirefleet_agent.config import TunnelConfig, parse, plan_changes
from wirefleet_agent.config import changes as c
from wirefleet_agent.control import uapi
from wirefleet_agent.core import Group
from wirefleet_agent.errors import RefusedError
from wirefleet_agent.keys import PublicKey

OVERLAY, OVERLAY6 = prefixes("10.86.0.0/16", "fd86::/64")
FIRST, SECOND, THIRD = HUBS


class Host:
    """A bench with a configuration on it."""

    def __init__(self, conf: str = GROUP_CONF, toml: str = GROUP_TOML) -> None:
        self.bench = Bench()
        self.config = parse(conf, toml, name="wf0")
        self.bench.applier.apply(plan_changes(None, self.config), 1.0)

    def group(self, name: str = "hubs") -> Group:
        return self.bench.device.groups[name]

    def active(self, name: str = "hubs") -> PublicKey:
        return self.group(name).active.public_key

    def switch(self, to: PublicKey, name: str = "hubs") -> None:
        self.bench.device.switch(self.group(name), to, 2.0)

    def allowed(self) -> dict[str, list[str]]:
        """As wg show has it: by peer, in hexadecimal."""
        shown: dict[str, list[str]] = {}
        for line in self.bench.get():
            key, _, value = line.partition("=")
            if key == "public_key":
                mine = shown[value] = []
            elif key == "allowed_ip":
                mine.append(value)
        return shown

    def showconf(self, *, device_lines: tuple[str, ...] = ()) -> list[str]:
        """What `wg showconf | wg syncconf` sends: each peer with its endpoint and exactly its AllowedIPs."""
        lines: list[str] = list(device_lines)
        for line in self.bench.get():
            key = line.partition("=")[0]
            if key == "public_key":
                lines += [line, "replace_allowed_ips=true"]
            elif key in ("endpoint", "allowed_ip"):
                lines.append(line)
        return lines


@pytest.fixture
def host() -> Host:
    return Host()


def change(host: Host, new: TunnelConfig) -> list[str]:
    applied = host.bench.applier.apply(plan_changes(host.config, new), 3.0)
    host.config = new
    return [each.op for each in applied.changes]


def with_toml(conf: str = GROUP_CONF, toml: str = GROUP_TOML) -> TunnelConfig:
    return parse(conf, toml, name="wf0")


# Configuration


def test_a_group_starts_with_the_member_that_has_its_prefixes_in_the_conf(host: Host) -> None:
    assert host.active() == FIRST
    assert host.group().prefixes == (OVERLAY, OVERLAY6)
    assert [peer.public_key for peer in host.group().members] == list(HUBS)
    assert host.bench.device.peers[FIRST].allowed_ips == prefixes("10.86.0.1/32", "fd86::1/128")


def test_the_same_configuration_again_changes_nothing_and_switches_nothing_back(host: Host) -> None:
    host.switch(SECOND)
    before = host.bench.snapshot()

    assert change(host, with_toml()) == []
    again = host.bench.applier.apply(plan_changes(None, host.config), 3.0)

    assert host.active() == SECOND
    assert host.bench.snapshot() == before
    assert "set_group" not in [each.op for each in again.changes]


def test_a_changed_group_keeps_its_active_member(host: Host) -> None:
    host.switch(SECOND)
    group = host.group()
    fewer = GROUP_TOML.replace(f', "{THIRD}"', "").replace(', "fd86::/64"', "")

    assert change(host, with_toml(toml=fewer)) == ["set_group", "add_allowed_ip"]

    assert host.group() is group
    assert host.active() == SECOND
    assert host.bench.device.peers[FIRST].allowed_ips[-1] == OVERLAY6


def test_an_active_member_that_is_taken_out_gives_way_to_the_one_that_starts(host: Host) -> None:
    host.switch(THIRD)

    change(host, with_toml(toml=GROUP_TOML.replace(f', "{THIRD}"', "")))

    assert host.active() == FIRST


def test_another_member_that_starts_active_takes_over(host: Host) -> None:
    """The operator moved the host to another hub."""
    conf = GROUP_CONF.replace(", 10.86.0.0/16, fd86::/64", "")
    conf = conf.replace("10.86.0.2/32, fd86::2/128", "10.86.0.2/32, fd86::2/128, 10.86.0.0/16, fd86::/64")
    host.switch(THIRD)

    assert change(host, with_toml(conf)) == ["set_group"]

    assert host.active() == SECOND


def test_a_group_that_gets_another_name_keeps_its_active_member(host: Host) -> None:
    host.switch(THIRD)

    done = change(host, with_toml(toml=GROUP_TOML.replace('name = "hubs"', 'name = "centres"')))

    assert done[:2] == ["set_group", "remove_group"]
    assert list(host.bench.device.groups) == ["centres"]
    assert host.active("centres") == THIRD
    assert host.group("centres").prefixes == (OVERLAY, OVERLAY6)


def test_a_group_that_gets_another_name_without_its_active_member_starts_as_configured(host: Host) -> None:
    host.switch(THIRD)
    toml = GROUP_TOML.replace('name = "hubs"', 'name = "centres"').replace(f', "{THIRD}"', "")

    change(host, with_toml(toml=toml))

    assert host.active("centres") == FIRST


def test_a_group_that_gets_another_name_and_another_start_moves(host: Host) -> None:
    conf = GROUP_CONF.replace(", 10.86.0.0/16, fd86::/64", "")
    conf = conf.replace("10.86.0.2/32, fd86::2/128", "10.86.0.2/32, fd86::2/128, 10.86.0.0/16, fd86::/64")
    host.switch(THIRD)

    change(host, with_toml(conf, GROUP_TOML.replace('name = "hubs"', 'name = "centres"')))

    assert host.active("centres") == SECOND


def test_a_group_that_goes_leaves_its_prefixes_to_the_peer_of_the_conf(host: Host) -> None:
    host.switch(SECOND)
    before = host.bench.device.peers[FIRST]

    done = change(host, with_toml(toml="schema = 1"))

    assert done == ["remove_group", "add_allowed_ip", "add_allowed_ip", "set_heartbeat"]
    assert host.bench.device.peers[FIRST] is before
    assert set(before.allowed_ips) == set(prefixes("10.86.0.1/32", "fd86::1/128", "10.86.0.0/16", "fd86::/64"))
    assert not host.bench.device.groups
    assert change(host, with_toml()) == ["set_group", "set_heartbeat", "set_group_policy"]
    assert host.active() == FIRST


def test_policies_and_heartbeats_change_without_touching_the_group(host: Host) -> None:
    new = with_toml(toml=GROUP_TOML.replace("hold_s = 60", "hold_s = 61").replace("misses = 4", "misses = 5"))

    assert [f"{each.op} {each.target}" for each in plan_changes(host.config, new)] == [
        "set_heartbeat port 51999, every 100 ms, 5 misses",
        "set_group_policy hubs: priority_preempt, hold 61 s",
    ]
    assert change(host, new) == ["set_heartbeat", "set_group_policy"]


def test_a_member_that_is_replaced_leaves_before_its_peer_goes(host: Host) -> None:
    new_key = public_key("hub-4")
    conf, toml = (text.replace(str(FIRST), str(new_key)) for text in (GROUP_CONF, GROUP_TOML))

    assert change(host, with_toml(conf, toml))[-1] == "remove_peer"

    assert host.active() == new_key
    assert host.group().prefixes == (OVERLAY, OVERLAY6)


def test_a_hub_makes_a_group_for_each_spoke_that_is_not_fixed() -> None:
    host = Host(RELAY_CONF, RELAY_TOML)

    assert list(host.bench.device.groups) == [str(SPOKES[0]), str(SPOKES[1])]
    group = host.group(str(SPOKES[0]))
    assert group.direct is group.active is host.bench.device.peers[SPOKES[0]]
    assert host.bench.device.own_addresses == {bytes([10, 86, 0, 1])}


def test_a_hubs_spoke_becomes_fixed_and_comes_back() -> None:
    host = Host(RELAY_CONF, RELAY_TOML)
    name = str(SPOKES[1])
    host.switch(SECOND, name)
    fixed = RELAY_TOML.replace(f'"{SPOKES[2]}"', f'"{SPOKES[2]}", "{SPOKES[1]}"')

    assert change(host, with_toml(RELAY_CONF, fixed)) == ["remove_group", "add_allowed_ip"]
    assert host.bench.device.peers[SPOKES[1]].allowed_ips == prefixes("10.86.0.12/32")
    assert change(host, with_toml(RELAY_CONF, RELAY_TOML)) == ["set_group"]
    assert host.active(name) == SPOKES[1]


def test_addresses_that_come_and_go_are_known_to_the_device(host: Host) -> None:
    conf = GROUP_CONF.replace("10.86.0.9/32, fd86::9/128", "10.86.0.10/32, fd86::9/128")

    change(host, with_toml(conf))

    assert host.bench.device.own_addresses == {bytes([10, 86, 0, 10]), bytes.fromhex("fd86" + "0" * 27 + "9")}


@pytest.mark.parametrize(
    "bad",
    [
        c.SetGroup("g", (), (OVERLAY,), FIRST),
        c.SetGroup("g", (FIRST, FIRST), (OVERLAY,), FIRST),
        c.SetGroup("g", (FIRST, public_key("stranger")), (OVERLAY,), FIRST),
        c.SetGroup("g", (FIRST, SECOND), (OVERLAY,), THIRD),
        c.SetGroup("g", (FIRST, SECOND), (OVERLAY,), FIRST, direct=THIRD),
        c.SetGroup("g", tuple(public_key(str(number)) for number in range(17)), (), public_key("0")),
    ],
    ids=["nobody", "twice", "stranger", "active", "direct", "seventeen"],
)
def test_a_group_that_cannot_be_is_refused_before_anything_happens(host: Host, bad: c.SetGroup) -> None:
    before = host.bench.snapshot()

    with pytest.raises(RefusedError):
        host.bench.applier.apply([c.AddPeer(public_key("new")), bad], 2.0)

    assert host.bench.snapshot() == before


# UAPI


def test_a_get_has_the_groups_prefixes_at_the_active_member(host: Host) -> None:
    for active in (FIRST, THIRD):
        host.switch(active)

        for key, shown in host.allowed().items():
            own = [str(prefix) for prefix in host.bench.device.peers[PublicKey.from_hex(key)].allowed_ips]
            assert shown == own + ([str(OVERLAY), str(OVERLAY6)] if key == active.hex() else [])


def test_a_get_names_the_group_at_each_member_and_who_is_active(host: Host) -> None:
    host.switch(SECOND)

    lines = host.bench.get()

    assert lines.count("group=hubs") == 3
    assert lines.count("group_active=true") == 1
    at = lines.index("group_active=true")
    assert lines[at - 1] == "group=hubs"
    assert max(i for i in range(at) if lines[i].startswith("public_key=")) == lines.index(f"public_key={SECOND.hex()}")


def test_on_a_hub_a_get_names_the_groups_of_spokes_once_unless_they_are_relayed() -> None:
    host = Host(RELAY_CONF, RELAY_TOML)
    name = str(SPOKES[0])

    assert host.bench.get().count(f"group={name}") == 1
    host.switch(THIRD, name)

    assert host.bench.get().count(f"group={name}") == 2
    assert host.allowed()[THIRD.hex()] == ["10.86.0.3/32", "10.86.0.77/32", "10.86.0.11/32", "192.168.11.0/24"]
    assert host.allowed()[SPOKES[0].hex()] == []


@pytest.mark.parametrize("replaces_peers", [False, True], ids=["syncconf", "setconf"])
def test_what_wg_shows_may_be_set_again_and_switches_nothing(host: Host, replaces_peers: bool) -> None:
    host.switch(SECOND)
    before, group = host.allowed(), host.group()
    lines = host.showconf(device_lines=("replace_peers=true",) if replaces_peers else ())

    host.bench.set(*lines)

    assert host.allowed() == before
    assert host.active() == SECOND
    assert host.group().prefixes == (OVERLAY, OVERLAY6)
    assert (host.group() is group) is not replaces_peers
    assert [peer.public_key for peer in host.group().members] == list(HUBS)


@pytest.mark.parametrize("replaces_peers", [False, True], ids=["syncconf", "setconf"])
def test_what_wg_showed_while_another_member_was_active_switches_nothing_back(host: Host, replaces_peers: bool) -> None:
    lines = host.showconf(device_lines=("replace_peers=true",) if replaces_peers else ())
    host.switch(THIRD)

    host.bench.set(*lines)

    assert host.active() == THIRD
    assert host.group().prefixes == (OVERLAY, OVERLAY6)
    assert host.bench.device.peers[FIRST].allowed_ips == prefixes("10.86.0.1/32", "fd86::1/128")


def test_a_set_of_a_groups_prefix_on_a_member_changes_nothing(host: Host) -> None:
    before = host.bench.snapshot()

    host.bench.set(f"public_key={SECOND.hex()}", f"allowed_ip={OVERLAY}")
    host.bench.set(f"public_key={FIRST.hex()}", f"allowed_ip=-{OVERLAY}")
    host.bench.set(f"public_key={THIRD.hex()}", "replace_allowed_ips=true", "allowed_ip=10.86.0.3/32")
    host.bench.set(f"public_key={THIRD.hex()}", "allowed_ip=fd86::3/128")

    assert host.bench.snapshot() == before


def test_replacing_allowed_ips_leaves_a_groups_prefixes(host: Host) -> None:
    host.bench.set(f"public_key={FIRST.hex()}", "replace_allowed_ips=true", "allowed_ip=10.86.0.1/32")

    assert host.allowed()[FIRST.hex()] == ["10.86.0.1/32", str(OVERLAY), str(OVERLAY6)]


def test_a_set_on_a_peer_that_is_no_member_moves_the_prefix_out_of_the_group(host: Host) -> None:
    stranger = public_key("stranger")

    host.bench.set(f"public_key={stranger.hex()}", f"allowed_ip={OVERLAY}")

    assert host.group().prefixes == (OVERLAY6,)
    assert host.bench.device.peers[stranger].allowed_ips == (OVERLAY,)


def test_setconf_that_leaves_a_member_out_takes_it_out_of_the_group(host: Host) -> None:
    lines = host.showconf(device_lines=("replace_peers=true",))
    cut = lines.index(f"public_key={FIRST.hex()}")
    rest = lines[lines.index(f"public_key={SECOND.hex()}") :]

    host.bench.set(*lines[:cut], *rest)

    assert [peer.public_key for peer in host.group().members] == [SECOND, THIRD]
    assert host.active() == SECOND
    assert host.group().prefixes == (OVERLAY, OVERLAY6)


def test_setconf_that_gives_a_groups_prefix_to_somebody_else_takes_it_out_of_the_group(host: Host) -> None:
    stranger = public_key("stranger")
    lines = [line for line in host.showconf(device_lines=("replace_peers=true",)) if line != f"allowed_ip={OVERLAY}"]

    host.bench.set(*lines, f"public_key={stranger.hex()}", f"allowed_ip={OVERLAY}")

    assert host.group().prefixes == (OVERLAY6,)
    assert host.bench.device.peers[stranger].allowed_ips == (OVERLAY,)


def test_setconf_without_any_member_ends_the_group(host: Host) -> None:
    host.bench.set("replace_peers=true", f"public_key={public_key('stranger').hex()}", f"allowed_ip={OVERLAY}")

    assert not host.bench.device.groups


def test_setconf_on_a_hub_that_leaves_a_spoke_out_ends_its_group() -> None:
    host = Host(RELAY_CONF, RELAY_TOML)
    spoke = SPOKES[0]
    lines = host.showconf(device_lines=("replace_peers=true",))
    cut = lines.index(f"public_key={spoke.hex()}")
    end = next(i for i in range(cut + 1, len(lines)) if lines[i].startswith("public_key="))

    host.bench.set(*lines[:cut], *lines[end:])

    assert list(host.bench.device.groups) == [str(SPOKES[1])]
    assert host.bench.device.allowed_ips.owner_of(prefixes("10.86.0.11/32")[0]) is None


def test_setconf_on_a_hub_keeps_every_spoke_where_it_comes_from() -> None:
    host = Host(RELAY_CONF, RELAY_TOML)
    host.switch(SECOND, str(SPOKES[0]))
    before = host.allowed()

    host.bench.set(*host.showconf(device_lines=("replace_peers=true",)))

    assert host.allowed() == before
    group = host.group(str(SPOKES[0]))
    assert group.is_relayed
    assert group.direct is host.bench.device.peers[SPOKES[0]]


@pytest.mark.parametrize("line", ["group=hubs", "group_active=true"])
def test_groups_are_not_set_through_uapi(host: Host, line: str) -> None:
    with pytest.raises(uapi.UapiError):
        uapi.parse_set([f"public_key={FIRST.hex()}", line], host.bench.device)


def test_no_change_of_a_group_shows_a_secret(host: Host) -> None:
    changes = plan_changes(None, replace(host.config))

    assert [each.target for each in changes if each.op == "set_group"] == [
        f"hubs: {OVERLAY}, {OVERLAY6} by {', '.join(map(str, HUBS))}"
    ]
