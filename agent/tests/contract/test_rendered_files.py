# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The files that the collection renders are the files that the agent reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wirefleet_agent.config import parse, planned_routes, redact_conf

CONTRACT = Path(__file__).parents[3] / "tests" / "contract"
PLANS = ("plan", "plan_sites")
HOSTS = sorted(f"{plan}/{path.stem}" for plan in PLANS for path in (CONTRACT / plan / "rendered").glob("*.conf"))


def read(name: str):
    plan, host = name.split("/")
    plan_slice = json.loads((CONTRACT / plan / "slices" / f"{host}.json").read_text())
    conf, toml = ((CONTRACT / plan / "rendered" / f"{host}.{suffix}").read_text() for suffix in ("conf", "toml"))
    return plan_slice, parse(conf, toml, name=plan_slice["tunnel"])


@pytest.mark.parametrize("plan", PLANS)
def test_there_are_files_of_both_roles(plan):
    assert {read(host)[1].options.role for host in HOSTS if host.startswith(f"{plan}/")} == {"hub", "spoke"}


@pytest.mark.parametrize("host", HOSTS)
def test_the_agent_reads_what_was_planned(host):
    planned, config = read(host)

    assert config.options.host == planned["host"]
    assert config.options.is_forwarding is planned["forwarding"]
    assert [str(address) for address in config.interface.addresses] == planned["interface"]["addresses"]
    assert config.interface.listen_port == planned["interface"]["listen_port"]
    assert config.interface.mtu_bytes == planned["interface"]["mtu"]
    assert config.interface.private_key is None
    assert [peer.name for peer in config.peers] == [peer["name"] for peer in planned["peers"]]


@pytest.mark.parametrize("host", HOSTS)
def test_every_peer_is_read_as_planned(host):
    planned, config = read(host)

    for peer, wanted in zip(config.peers, planned["peers"], strict=True):
        assert str(peer.public_key) == wanted["public_key"]
        assert (None if peer.endpoint is None else str(peer.endpoint)) == wanted["endpoint"]
        assert {str(prefix) for prefix in peer.allowed_ips} == set(wanted["allowed_ips"])
        assert peer.persistent_keepalive_s == wanted["persistent_keepalive"]


@pytest.mark.parametrize("host", HOSTS)
def test_sites_and_groups_are_read_as_planned(host):
    planned, config = read(host)
    names = {peer.public_key: peer.name for peer in config.peers}

    for kind, found in (("groups", config.options.groups), ("sites", config.options.sites)):
        for one, wanted in zip(found, planned[kind], strict=True):
            assert one.name == wanted["name"]
            assert [names[key] for key in one.members] == wanted["members"]
            assert [str(prefix) for prefix in one.allowed_ips] == wanted["allowed_ips"]
    assert [str(prefix) for prefix in config.options.local_networks] == planned["local_networks"]


@pytest.mark.parametrize("host", HOSTS)
def test_no_lan_of_the_host_is_routed_into_the_tunnel(host):
    planned, config = read(host)

    routed = {str(route.prefix) for route in planned_routes(config)}
    assert routed.isdisjoint(planned["local_networks"])


def test_there_are_sites_behind_spokes_and_behind_hubs():
    slices = [read(host)[0] for host in HOSTS]

    assert any(one["sites"] for one in slices)
    assert any(one["role"] == "hub" and one["groups"] for one in slices)
    assert {one["role"] for one in slices if one["local_networks"]} == {"hub", "spoke"}


@pytest.mark.parametrize("name", HOSTS)
def test_there_is_nothing_to_redact(name):
    plan, host = name.split("/")
    conf = (CONTRACT / plan / "rendered" / f"{host}.conf").read_text()

    assert redact_conf(conf) == conf
