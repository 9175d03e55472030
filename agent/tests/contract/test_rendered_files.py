# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The files that the collection renders are the files that the agent reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wirefleet_agent.config import parse, redact_conf

PLAN = Path(__file__).parents[3] / "tests" / "contract" / "plan"
HOSTS = sorted(path.stem for path in (PLAN / "rendered").glob("*.conf"))


def read(host: str):
    plan_slice = json.loads((PLAN / "slices" / f"{host}.json").read_text())
    conf, toml = ((PLAN / "rendered" / f"{host}.{suffix}").read_text() for suffix in ("conf", "toml"))
    return plan_slice, parse(conf, toml, name=plan_slice["tunnel"])


def test_there_are_files_of_both_roles():
    assert {read(host)[1].options.role for host in HOSTS} == {"hub", "spoke"}


@pytest.mark.parametrize("host", HOSTS)
def test_the_agent_reads_what_was_planned(host):
    planned, config = read(host)

    assert config.options.host == host
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
def test_there_is_nothing_to_redact(host):
    conf = (PLAN / "rendered" / f"{host}.conf").read_text()

    assert redact_conf(conf) == conf
