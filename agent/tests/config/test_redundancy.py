# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Heartbeats, groups and relays of <tunnel>.toml: what is read, what is refused, and who owns which prefix then."""

from __future__ import annotations

import pytest
from support.configs import (
    GROUP_CONF,
    GROUP_TOML,
    HUBS,
    RELAY_CONF,
    RELAY_TOML,
    SPOKES,
    prefixes,
    public_key,
)
from wirefleet_agent.config import (
    ConfigErrors,
    GroupConfig,
    HeartbeatConfig,
    OwningGroup,
    RelaysConfig,
    TunnelConfig,
    heartbeat_addresses,
    ownership,
    parse,
)

OVERLAY = prefixes("10.86.0.0/16", "fd86::/64")
STRANGER = public_key("stranger")


def spoke(conf: str = GROUP_CONF, toml: str = GROUP_TOML) -> TunnelConfig:
    return parse(conf, toml, name="wf0")


def hub(conf: str = RELAY_CONF, toml: str = RELAY_TOML) -> TunnelConfig:
    return parse(conf, toml, name="wf0")


def errors_of(conf: str, toml: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse(conf, toml, name="wf0")
    return [str(error) for error in caught.value.errors]


def test_the_whole_vocabulary_is_read() -> None:
    options = spoke().options

    assert options.heartbeat == HeartbeatConfig(port=51999, interval_ms=100, misses=4)
    assert options.groups == (GroupConfig("hubs", HUBS, OVERLAY, "priority_preempt", 60),)
    assert options.relays is None
    assert hub().options.relays == RelaysConfig(HUBS[1:], (SPOKES[2],))


def test_what_is_not_said_is_as_usual() -> None:
    toml = GROUP_TOML.partition("policy")[0].replace("port = 51999\ninterval_ms = 100\nmisses = 4\n", "")
    options = spoke(toml=toml).options

    assert options.heartbeat == HeartbeatConfig(port=51821, interval_ms=500, misses=3)
    assert (options.groups[0].policy, options.groups[0].hold_s) == ("active_standby", 30)
    assert spoke(toml="schema = 1").options.heartbeat is None


def test_host_bits_of_a_groups_prefix_are_masked() -> None:
    assert spoke(toml=GROUP_TOML.replace("10.86.0.0/16", "10.86.3.4/16")) == spoke()


REFUSED = [
    ("misses = 4", "misses = 1", "wf0.toml:5 [heartbeat] misses: this is a number from 2 to 20, not 1"),
    ("misses = 4", "misses = 21", "from 2 to 20, not 21"),
    ("misses = 4", "misses = true", "this is true or false (write a whole number)"),
    ("interval_ms = 100", "interval_ms = 49", "wf0.toml:4 [heartbeat] interval_ms: this is a number from 50 to 10000"),
    ("interval_ms = 100", "interval_ms = 10001", "from 50 to 10000, not 10001"),
    ("interval_ms = 100", "interval = 100", "wf0.toml:4 [heartbeat] interval: unknown key (did you mean interval_ms?)"),
    ("port = 51999", "port = 0", "wf0.toml:3 [heartbeat] port: this is a number from 1 to 65535, not 0"),
    ("port = 51999", "port = 65536", "from 1 to 65535"),
    ("port = 51999", "port = 51820", "wf0.toml:3 [heartbeat] port: this is the tunnel's ListenPort"),
    ("[heartbeat]", "heartbeat = 1\n[other]", "heartbeat: this is a whole number (write a section)"),
    ('name = "hubs"', 'name = ""', "wf0.toml:7 [[groups]] name: a group needs a name (1 to 32 letters"),
    ('name = "hubs"', 'name = "two words"', "a group needs a name"),
    ('name = "hubs"', 'name = "' + "x" * 33 + '"', "a group needs a name"),
    ('name = "hubs"', "name = 7", "this is a whole number (write a text)"),
    ('name = "hubs"\n', "", "wf0.toml:6 [[groups]] name: a group needs a name"),
    ('name = "hubs"', 'nmae = "hubs"', "wf0.toml:7 [[groups]] nmae: unknown key (did you mean name?)"),
    (f'"{HUBS[0]}", ', "", "10.86.0.0/16 is not among the AllowedIPs of a member in the .conf but among those of"),
    (f'"{HUBS[2]}"', f'"{STRANGER}"', f"wf0.toml:8 [[groups]] members: {STRANGER} is no peer of the .conf"),
    (f'"{HUBS[2]}"', '"not a key"', "wf0.toml:8 [[groups]] members: a public key is 44 base64"),
    (f'"{HUBS[2]}"', "7", "an entry is a whole number (write a list of texts)"),
    (f'"{HUBS[2]}"', f'"{HUBS[1]}"', f"wf0.toml:8 [[groups]] members: {HUBS[1]} stands there twice"),
    (f', "{HUBS[1]}", "{HUBS[2]}"', "", "[[groups]] members: a group has 2 to 16 members, not 1"),
    ("members = [", 'members = "x" #', "[[groups]] members: this is a text (write a list)"),
    (
        '"fd86::/64"',
        '"fd87::/64"',
        "wf0.toml:9 [[groups]] allowed_ips: fd87::/64 is not among the AllowedIPs of a member",
    ),
    ('"fd86::/64"', '"10.86.0.2/32"', f"in the .conf 10.86.0.2/32 is at {HUBS[1]}, but others of the group are at"),
    ('"fd86::/64"', '"10.86.0.1/32"', f"wf0.toml:9 [[groups]] allowed_ips: 10.86.0.1/32 is the address of {HUBS[0]}"),
    ('"fd86::/64"', '"fd86::1/128"', f"fd86::1/128 is the address of {HUBS[0]} itself, which no other member may have"),
    ('"fd86::/64"', '"10.86.0.0/16"', "10.86.0.0/16 stands there twice (keep one of them)"),
    ('"fd86::/64"', '"::/129"', "wf0.toml:9 [[groups]] allowed_ips: "),
    ('["10.86.0.0/16", "fd86::/64"]', "[]", "wf0.toml:9 [[groups]] allowed_ips: a group owns at least one prefix"),
    ('"priority_preempt"', '"preempt"', "wf0.toml:10 [[groups]] policy: 'preempt' is not possible here"),
    ("hold_s = 60", "hold_s = -1", "wf0.toml:11 [[groups]] hold_s: this is a number from 0 to 86400, not -1"),
    ("hold_s = 60", "hold_s = 1.5", "[[groups]] hold_s: this is something else (write a whole number)"),
    ("[[groups]]", "[groups]", "wf0.toml:6 groups: this is a section (write a list)"),
    ("schema = 1", "schema = 1\ngroups = [1]", "not TOML"),
]


@pytest.mark.parametrize(("there", "instead", "error"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_wrong_with_a_group_is_named_with_a_hint(there: str, instead: str, error: str) -> None:
    assert there in GROUP_TOML

    errors = errors_of(GROUP_CONF, GROUP_TOML.replace(there, instead, 1))

    assert any(error in found for found in errors), errors


def test_a_group_owns_no_members_address_without_heartbeats_either() -> None:
    toml = GROUP_TOML.replace("[heartbeat]\nport = 51999\ninterval_ms = 100\nmisses = 4\n", "")
    conf = GROUP_CONF.replace("fd86::1/128, 10.86.0.0/16", "fd86::1/128, 10.86.0.77/32, 10.86.0.0/16")

    errors = errors_of(conf, toml.replace('"fd86::/64"', '"10.86.0.1/32"'))

    assert len(errors) == 1
    assert f"wf0.toml:5 [[groups]] allowed_ips: 10.86.0.1/32 is the address of {HUBS[0]} itself" in errors[0]
    assert spoke(conf, toml.replace('"fd86::/64"', '"10.86.0.77/32"')).options.groups


def test_seventeen_members_are_too_many() -> None:
    keys = ", ".join(f'"{public_key(str(number))}"' for number in range(14))

    errors = errors_of(GROUP_CONF, GROUP_TOML.replace(f'"{HUBS[0]}",', f'"{HUBS[0]}", {keys},'))

    assert any("a group has 2 to 16 members, not 17" in error for error in errors)


def test_an_entry_of_groups_that_is_no_section_is_refused() -> None:
    assert "an entry is a whole number (write [[groups]])" in errors_of("[Interface]", "schema = 1\ngroups = [1]")[0]


def test_a_prefix_and_a_name_are_one_groups_only() -> None:
    second = GROUP_TOML[GROUP_TOML.index("[[groups]]") :]

    errors = errors_of(GROUP_CONF, GROUP_TOML + second)

    assert [error.partition(" (")[0] for error in errors] == [
        "wf0.toml:13 [[groups]] name: a second group 'hubs'",
        "wf0.toml:15 [[groups]] allowed_ips: 10.86.0.0/16 belongs to another group",
        "wf0.toml:15 [[groups]] allowed_ips: fd86::/64 belongs to another group",
    ]


def test_a_member_needs_an_address_of_its_own_for_heartbeats() -> None:
    conf = GROUP_CONF.replace("AllowedIPs = 10.86.0.3/32, fd86::3/128", "AllowedIPs = 10.99.0.0/24")
    without = "schema = 1\n" + GROUP_TOML[GROUP_TOML.index("[[groups]]") :]

    (error,) = errors_of(conf, GROUP_TOML)

    assert f"wf0.toml:8 [[groups]] members: {HUBS[2]} has no address of its own that heartbeats could go to" in error
    assert spoke(conf, without).options.groups


def test_groups_are_not_held_against_a_conf_that_is_wrong_itself() -> None:
    errors = errors_of(GROUP_CONF.replace("10.86.0.1/32", "10.86.0.1/33"), GROUP_TOML)

    assert len(errors) == 1


@pytest.mark.parametrize(
    ("there", "instead", "error"),
    [
        (f'"{HUBS[2]}"]', f'"{STRANGER}"]', f"wf0.toml:4 [relays] members: {STRANGER} is no peer of the .conf"),
        (f'"{SPOKES[2]}"', f'"{STRANGER}"', f"wf0.toml:5 [relays] fixed: {STRANGER} is no peer of the .conf"),
        (f'"{SPOKES[2]}"', f'"{HUBS[1]}"', f"wf0.toml:5 [relays] fixed: {HUBS[1]} is a relay as well"),
        (f'"{HUBS[1]}", "{HUBS[2]}"', "", "wf0.toml:4 [relays] members: relays are 1 to 15 peers"),
        (f'"{HUBS[2]}"]', f'"{HUBS[1]}"]', "stands there twice"),
        ("fixed =", "fixde =", "wf0.toml:5 [relays] fixde: unknown key (did you mean fixed?)"),
    ],
)
def test_what_is_wrong_with_relays_is_named_with_a_hint(there: str, instead: str, error: str) -> None:
    assert there in RELAY_TOML

    errors = errors_of(RELAY_CONF, RELAY_TOML.replace(there, instead, 1))

    assert any(error in found for found in errors), errors


# Who owns what


def test_a_groups_prefixes_are_no_longer_those_of_the_member_that_starts_active() -> None:
    owned = ownership(spoke())

    assert owned.groups == {"hubs": OwningGroup("hubs", HUBS, OVERLAY, start=HUBS[0])}
    assert owned.peers[HUBS[0]] == prefixes("10.86.0.1/32", "fd86::1/128")
    assert owned.peers[HUBS[1]] == prefixes("10.86.0.2/32", "fd86::2/128")


def test_the_best_member_is_not_always_the_one_that_starts_active() -> None:
    toml = GROUP_TOML.replace(f'"{HUBS[0]}", "{HUBS[1]}"', f'"{HUBS[1]}", "{HUBS[0]}"')

    group = ownership(spoke(toml=toml)).groups["hubs"]

    assert group.members == (HUBS[1], HUBS[0], HUBS[2])
    assert group.start == HUBS[0]


def test_on_a_hub_every_spoke_that_is_not_fixed_may_come_by_the_relays() -> None:
    owned = ownership(hub())

    assert list(owned.groups) == [str(SPOKES[0]), str(SPOKES[1])]
    first = owned.groups[str(SPOKES[0])]
    assert first.members == (SPOKES[0], *HUBS[1:])
    assert first.prefixes == prefixes("10.86.0.11/32", "192.168.11.0/24")
    assert first.start == first.direct == SPOKES[0]
    assert owned.peers[SPOKES[0]] == ()
    assert owned.peers[SPOKES[2]] == prefixes("10.86.0.13/32")
    assert owned.peers[HUBS[2]] == prefixes("10.86.0.3/32", "10.86.0.77/32")


def test_heartbeats_go_to_the_first_address_of_each_family_that_is_the_peers_own() -> None:
    conf = GROUP_CONF.replace("10.86.0.2/32,", "10.9.0.0/16, 10.86.0.2/32, 10.86.0.99/32,")

    found = heartbeat_addresses(spoke(conf))

    assert found[HUBS[0]] == prefixes("10.86.0.1/32", "fd86::1/128")
    assert found[HUBS[1]] == prefixes("10.86.0.2/32", "fd86::2/128")
    assert heartbeat_addresses(hub())[SPOKES[0]] == prefixes("10.86.0.11/32")
