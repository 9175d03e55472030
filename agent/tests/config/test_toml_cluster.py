# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from wirefleet_agent.config import ConfigErrors, parse, plan_changes, render, render_toml
from wirefleet_agent.config.ownership import ownership
from wirefleet_agent.config.refusal import without_peers
from wirefleet_agent.keys import PublicKey

A, B = (PublicKey(bytes([number]) * 32) for number in (1, 2))
CONF = f"[Interface]\nAddress = 10.86.0.1/24, fd00::1/64\n[Peer]\nPublicKey = {B}\nAllowedIPs = 10.86.0.2/32\n"


def toml(section: str) -> str:
    return f"schema = 1\n{section}\n"


def member(key: object = A, address: str = "10.86.0.1") -> str:
    return f'{{ key = "{key}", address = "{address}" }}'


GOOD = toml(f"[cluster]\nport = 51822\nmembers = [{member(B, '10.86.0.2')}, {member()}]")


def test_the_members_are_read_in_the_order_of_their_keys_and_written_as_they_are_read():
    config = parse(CONF, GOOD, name="wf0", own_public_key=A)

    cluster = config.options.cluster
    assert cluster.port == 51822
    assert [(each.key, each.address) for each in cluster.members] == [(A, "10.86.0.1"), (B, "10.86.0.2")]
    assert parse(render(config), render_toml(config), name="wf0", own_public_key=A) == config


def test_without_the_section_there_is_no_cluster():
    assert parse(CONF, toml(""), name="wf0").options.cluster is None


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("cluster = 1", "whole number"),
        ("[cluster]", "port"),
        (f"[cluster]\nport = 0\nmembers = [{member()}]", "1 to 65535"),
        (f"[cluster]\nport = true\nmembers = [{member()}]", "1 to 65535"),
        (f'[cluster]\nport = 1\npassword = "x"\nmembers = [{member()}]', "unknown key"),
        ("[cluster]\nport = 1\nmembers = []", "1 to 7 members"),
        ("[cluster]\nport = 1\nmembers = 3", "1 to 7 members"),
        ('[cluster]\nport = 1\nmembers = ["x"]', "a key and an address"),
        (f"[cluster]\nport = 1\nmembers = [{{ key = '{A}' }}]", "a key and an address"),
        (f"[cluster]\nport = 1\nmembers = [{member('x')}]", "44 base64"),
        (f"[cluster]\nport = 1\nmembers = [{member(A, 'hub-1')}]", "no IP address"),
        (f"[cluster]\nport = 1\nmembers = [{member(A, 'fe80::1%2')}]", "scope"),
        (f"[cluster]\nport = 1\nmembers = [{member()}, {member()}]", "same key"),
        (f"[cluster]\nport = 1\nmembers = [{member()}, {member(B)}]", "same address"),
        (f"[cluster]\nport = 1\nmembers = [{member(B, '10.86.0.2')}]", "not among the members"),
        (f"[cluster]\nport = 1\nmembers = [{member(A, '10.86.0.7')}]", "not an address of this tunnel"),
    ],
)
def test_what_is_wrong_is_said(section, says):
    with pytest.raises(ConfigErrors, match=says):
        parse(CONF, toml(section), name="wf0", own_public_key=A)


def test_an_ipv6_address_is_compared_as_a_number():
    config = parse(
        CONF, toml(f"[cluster]\nport = 1\nmembers = [{member(A, 'FD00:0::1')}]"), name="wf0", own_public_key=A
    )

    assert config.options.cluster.members[0].address == "fd00::1"


def test_a_configuration_without_refused_peers():
    config = parse(CONF, GOOD, name="wf0")

    assert without_peers(config, {A}) is config
    assert without_peers(config, {B}).peers == ()


C, D = (PublicKey(bytes([number]) * 32) for number in (3, 4))
GROUPED_CONF = (
    "[Interface]\nAddress = 10.86.0.9/32\n"
    f"[Peer]\nPublicKey = {B}\nAllowedIPs = 10.86.0.2/32, 10.86.0.0/16\n"
    f"[Peer]\nPublicKey = {C}\nAllowedIPs = 10.86.0.3/32\n"
    f"[Peer]\nPublicKey = {D}\nAllowedIPs = 10.86.0.4/32\n"
)
GROUPED = toml(f'[[groups]]\nname = "hubs"\nmembers = ["{B}", "{C}", "{D}"]\nallowed_ips = ["10.86.0.0/16"]')


@pytest.mark.parametrize(
    ("refused", "members", "owner"),
    [({B}, (C, D), C), ({C}, (B, D), B), ({B, C}, None, D), ({C, D}, None, B), ({B, C, D}, None, None)],
    ids=["active", "standby", "two with the active one", "two", "all"],
)
def test_a_group_goes_on_without_its_refused_members(refused, members, owner):
    config = parse(GROUPED_CONF, GROUPED, name="wf0")

    left = without_peers(config, refused)

    assert [group.members for group in left.options.groups] == ([] if members is None else [members])
    owners = [peer.public_key for peer in left.peers if "10.86.0.0/16" in map(str, peer.allowed_ips)]
    assert owners == ([] if owner is None else [owner])
    assert not refused & {peer.public_key for peer in left.peers}
    changes = [change.op for change in plan_changes(config, left)]
    assert changes.count("remove_peer") == len(refused)
    assert parse(render(left), render_toml(left), name="wf0") == left


def test_relays_go_on_without_a_refused_hub():
    section = f'[relays]\nmembers = ["{B}", "{C}"]\nfixed = []'
    conf = GROUPED_CONF.replace(", 10.86.0.0/16", "")
    config = parse(conf, toml(section), name="wf0")

    left = without_peers(config, {B})

    assert left.options.relays.members == (C,)
    assert ownership(left).groups[str(D)].members == (D, C)
