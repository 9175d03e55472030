# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from wirefleet_agent.config import ConfigErrors, parse, render, render_toml
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
