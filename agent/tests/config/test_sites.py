# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""LANs with several gateways in <tunnel>.toml: what is read, what is refused, who owns what, and what is planned."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.configs import (
    GATEWAY_CONF,
    GATEWAY_TOML,
    HUBS,
    LAN,
    SITE,
    SITE_CONF,
    SITE_TOML,
    SPOKES,
    prefixes,
    public_key,
)
from wirefleet_agent.config import (
    ConfigErrors,
    OwningGroup,
    SiteConfig,
    TunnelConfig,
    heartbeat_addresses,
    ownership,
    parse,
    plan_changes,
    planned_routes,
    render,
    render_toml,
    without_peers,
)
from wirefleet_agent.config import changes as c

STRANGER = public_key("stranger")
FIRST, SECOND, FIXED = SPOKES


def hub(conf: str = SITE_CONF, toml: str = SITE_TOML) -> TunnelConfig:
    return parse(conf, toml, name="wf0")


def gateway(conf: str = GATEWAY_CONF, toml: str = GATEWAY_TOML) -> TunnelConfig:
    return parse(conf, toml, name="wf0")


def errors_of(conf: str, toml: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse(conf, toml, name="wf0")
    return [str(error) for error in caught.value.errors]


def test_a_site_and_the_hosts_own_lan_are_read_and_rendered() -> None:
    assert hub().options.sites == (SiteConfig(SITE, (FIRST, SECOND), LAN),)
    assert gateway().options.local_networks == LAN[:1]
    for config in (hub(), gateway()):
        assert parse(render(config), render_toml(config), name="wf0") == config


def test_without_them_nothing_of_them_is_written() -> None:
    config = parse(SITE_CONF, "schema = 1\n", name="wf0")

    text = render_toml(config)

    assert "sites" not in text
    assert "local_networks" not in text


REFUSED = [
    (f'name = "{SITE}"', 'name = "10.1.0.0/16"', "wf0.toml:4 [[sites]] name: a site needs a name (1 to 32 letters"),
    (f'name = "{SITE}"\n', "", "wf0.toml:3 [[sites]] name: a site needs a name"),
    (f'name = "{SITE}"', 'nmae = "x"', "wf0.toml:4 [[sites]] nmae: unknown key (did you mean name?)"),
    (f'name = "{SITE}"', f'name = "{SITE}"\npolicy = "x"', "wf0.toml:5 [[sites]] policy: unknown key"),
    (f', "{SECOND}"', "", "wf0.toml:5 [[sites]] members: a site has 2 to 16 gateways, not 1 (list their public keys"),
    (f'"{SECOND}"', f'"{FIRST}"', f"wf0.toml:5 [[sites]] members: {FIRST} stands there twice"),
    (f'"{SECOND}"', f'"{STRANGER}"', f"wf0.toml:5 [[sites]] members: {STRANGER} is no peer of the .conf"),
    (f'"{SECOND}"', '"not a key"', "wf0.toml:5 [[sites]] members: a public key is 44 base64"),
    (f'"{SECOND}"', f'"{HUBS[1]}"', f"wf0.toml:5 [[sites]] members: {HUBS[1]} is a relay as well (gateways of a site"),
    (f'"{SECOND}"', f'"{FIXED}"', f"wf0.toml:5 [[sites]] members: {FIXED} is fixed as well"),
    (f'"{FIRST}", ', f'"{FIXED}", ', "10.1.0.0/16 is not among the AllowedIPs of a member in the .conf but among"),
    ('"fd01::/64"', '"fd02::/64"', "wf0.toml:6 [[sites]] allowed_ips: fd02::/64 is not among the AllowedIPs of a"),
    ('"fd01::/64"', '"10.86.0.12/32"', f"in the .conf 10.86.0.12/32 is at {SECOND}, but others of the site are at"),
    ('"fd01::/64"', '"10.86.0.11/32"', f"10.86.0.11/32 is the address of {FIRST} itself, which no other member may"),
    ('["10.1.0.0/16", "fd01::/64"]', "[]", "wf0.toml:6 [[sites]] allowed_ips: a site has at least one prefix"),
    ('["10.1.0.0/16", "fd01::/64"]', "7", "this is a whole number (write a list)"),
    ("[[sites]]", "[sites]", "sites: this is a section (write a list)"),
    ("[[sites]]", "[[site]]", "site: unknown key (did you mean sites?)"),
]


@pytest.mark.parametrize(("there", "instead", "error"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_wrong_with_a_site_is_named_with_a_hint(there: str, instead: str, error: str) -> None:
    assert there in SITE_TOML

    errors = errors_of(SITE_CONF, SITE_TOML.replace(there, instead, 1))

    assert any(error in found for found in errors), errors


def test_a_name_and_a_prefix_are_one_groups_or_one_sites_only() -> None:
    second = SITE_TOML[SITE_TOML.index("[[sites]]") : SITE_TOML.index("[relays]")]
    group = second.replace("[[sites]]", "[[groups]]")

    errors = errors_of(SITE_CONF, SITE_TOML.replace("[relays]", second + "[relays]"))
    mixed = errors_of(SITE_CONF, SITE_TOML.replace("[relays]", group + "[relays]"))

    expected = [
        f"[[sites]] name: a second group or site '{SITE}'",
        "[[sites]] allowed_ips: 10.1.0.0/16 belongs to another group or site",
        "[[sites]] allowed_ips: fd01::/64 belongs to another group or site",
    ]
    assert [error.partition(" ")[2].partition(" (")[0] for error in errors] == expected
    assert [error.partition(" ")[2].partition(" (")[0] for error in mixed] == expected


def test_seventeen_gateways_are_too_many() -> None:
    keys = ", ".join(f'"{public_key(str(number))}"' for number in range(15))

    errors = errors_of(SITE_CONF, SITE_TOML.replace(f'"{FIRST}",', f'"{FIRST}", {keys},'))

    assert any("a site has 2 to 16 gateways, not 17" in error for error in errors)


def test_a_gateway_needs_an_address_of_its_own_that_its_heartbeats_come_from() -> None:
    (error,) = errors_of(SITE_CONF.replace("10.86.0.12/32", "10.86.12.0/24"), SITE_TOML)

    assert f"wf0.toml:5 [[sites]] members: {SECOND} has no address of its own" in error


@pytest.mark.parametrize(
    ("networks", "error"),
    [
        ('["10.2.0.0/16"]', "wf0.toml:3 [host] local_networks: 10.2.0.0/16 is not among the AllowedIPs of any peer"),
        ('["10.1.0.0/17"]', "10.1.0.0/17 is not among the AllowedIPs of any peer in the .conf (add it to those of"),
        ('["10.1.0.0/16", "10.1.0.0/16"]', "10.1.0.0/16 stands there twice"),
        ('["10.1.0.0/33"]', "wf0.toml:3 [host] local_networks: "),
        ("[7]", "an entry is a whole number (write a list of texts)"),
        ('"10.1.0.0/16"', "wf0.toml:3 [host] local_networks: this is a text (write a list)"),
    ],
)
def test_what_is_wrong_with_the_hosts_own_lan_is_named_with_a_hint(networks: str, error: str) -> None:
    errors = errors_of(GATEWAY_CONF, GATEWAY_TOML.replace('["10.1.0.0/16"]', networks, 1))

    assert any(error in found for found in errors), errors


def test_a_hub_is_not_on_a_lan_that_it_reaches_over_gateways() -> None:
    toml = SITE_TOML.replace("schema = 1\n", 'schema = 1\n[host]\nlocal_networks = ["10.1.0.0/16"]\n')

    (error,) = errors_of(SITE_CONF, toml)

    assert "wf0.toml:3 [host] local_networks: 10.1.0.0/16 is behind the gateways of a site" in error


# Who owns what


def test_a_sites_prefixes_are_those_of_its_gateways_and_the_relays_carry_them_too() -> None:
    owned = ownership(hub())

    assert owned.groups[SITE] == OwningGroup(SITE, (FIRST, SECOND, *HUBS[1:]), LAN, FIRST, FIRST, (FIRST, SECOND))
    assert owned.groups[str(FIRST)].prefixes == prefixes("10.86.0.11/32")
    assert owned.groups[str(SECOND)].direct == SECOND
    assert owned.peers[FIRST] == ()


def test_on_a_single_hub_a_site_is_of_its_gateways_alone() -> None:
    toml = SITE_TOML[: SITE_TOML.index("[relays]")]

    owned = ownership(hub(toml=toml))

    assert owned.groups == {SITE: OwningGroup(SITE, (FIRST, SECOND), LAN, FIRST, FIRST, (FIRST, SECOND))}
    assert owned.peers[FIRST] == prefixes("10.86.0.11/32")


def test_the_first_gateway_is_not_always_the_one_that_is_used_first() -> None:
    toml = SITE_TOML.replace(f'"{FIRST}", "{SECOND}"', f'"{SECOND}", "{FIRST}"')

    site = ownership(hub(toml=toml)).groups[SITE]

    assert (site.gateways, site.start) == ((SECOND, FIRST), FIRST)


def test_an_address_that_is_the_whole_site_is_not_where_heartbeats_go() -> None:
    conf = SITE_CONF.replace("10.86.0.11/32, 10.1.0.0/16", "10.1.0.7/32, 10.86.0.11/32")
    toml = SITE_TOML.replace("10.1.0.0/16", "10.1.0.7/32")

    errors = errors_of(conf, toml)
    behind = conf.replace("10.1.0.7/32, 10.86.0.11/32", "10.86.0.11/32, 10.1.0.7/32")

    assert any("10.1.0.7/32 is the address of" in error for error in errors)
    assert heartbeat_addresses(hub(behind, toml))[FIRST] == prefixes("10.86.0.11/32")


# What changes


def test_the_hosts_own_lan_has_no_route_and_gets_one_when_it_is_no_longer_its_own() -> None:
    config = gateway()
    without = replace(config, options=replace(config.options, local_networks=()))
    routes = {str(route) for route in planned_routes(config)}

    assert "10.1.0.0/16" not in routes
    assert [f"{each.op} {each.target}" for each in plan_changes(config, without)] == ["add_route 10.1.0.0/16"]
    assert [f"{each.op} {each.target}" for each in plan_changes(without, config)] == ["remove_route 10.1.0.0/16"]


def test_a_second_gateway_changes_the_groups_and_nothing_else() -> None:
    alone = hub(toml=SITE_TOML[: SITE_TOML.index("[[sites]]")] + SITE_TOML[SITE_TOML.index("[relays]") :])

    joined, left = plan_changes(alone, hub()), plan_changes(hub(), alone)

    assert [change.op for change in joined] == ["set_group", "set_group"]
    assert [change.op for change in left] == ["remove_group", "set_group"]
    assert plan_changes(hub(), hub()) == ()


def test_a_site_that_gets_another_name_keeps_its_way() -> None:
    (change, *rest) = plan_changes(hub(), hub(toml=SITE_TOML.replace(SITE, "lan")))

    assert isinstance(change, c.SetGroup)
    assert (change.name, change.renamed_from, change.gateways) == ("lan", SITE, (FIRST, SECOND))
    assert rest == [c.RemoveGroup(SITE)]


def test_a_revoked_gateway_leaves_its_site_and_the_last_one_has_the_lan_alone() -> None:
    left = without_peers(hub(), {FIRST})

    owned = ownership(left)

    assert left.options.sites == ()
    assert set(owned.groups) == {str(SECOND)}
    assert owned.groups[str(SECOND)].prefixes == (*prefixes("10.86.0.12/32"), *LAN)
    assert owned.groups[str(SECOND)].direct == SECOND


def test_a_site_of_three_goes_on_with_two() -> None:
    toml = SITE_TOML.replace(f'fixed = ["{FIXED}"]\n', "").replace(f'"{SECOND}"]', f'"{SECOND}", "{FIXED}"]')

    site = ownership(without_peers(hub(toml=toml), {FIRST})).groups[SITE]

    assert (site.gateways, site.start, site.direct) == ((SECOND, FIXED), SECOND, SECOND)
    assert site.prefixes == LAN


def test_a_site_without_gateways_is_nobodys() -> None:
    owned = ownership(without_peers(hub(), {FIRST, SECOND}))

    assert owned.groups == {}
    assert not {prefix for own in owned.peers.values() for prefix in own} & set(LAN)
