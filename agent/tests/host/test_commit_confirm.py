# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from support.memory_host import MemoryHost
from support.service import OTHER, PEER, apply, ask, conf, peer, refuse_to
from wirefleet_agent.host import store
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.keys import PublicKey


@pytest.fixture
def host(tmp_path):
    host = MemoryHost(tmp_path)
    KeyStore(Paths(tmp_path)).ensure("wf0")
    yield host
    if host.container is not None:
        host.crash()


def test_an_unconfirmed_configuration_is_reverted_at_its_deadline(host):
    host.start()
    apply(host, conf(peer()))
    kept = host.live.tunnel.device.peers[PublicKey.from_base64(PEER)]

    reply = apply(host, conf(peer(), peer(OTHER, "192.0.2.3", "10.9.0.3/32")), confirm_timeout_s=60)
    assert reply["pending"]
    host.pass_s(59)
    assert len(ask(host, "status")["peers"]) == 2
    host.pass_s(2)

    status = ask(host, "status")
    assert [row["public_key"] for row in status["peers"]] == [PEER]
    assert host.live.tunnel.device.peers[PublicKey.from_base64(PEER)] is kept
    assert not status["pending"]
    assert status["counters"]["config_reverted"] == 1


def test_a_confirmed_configuration_stays(host):
    host.start()
    apply(host, conf(peer()))
    reply = apply(host, conf(peer(), port=51821), confirm_timeout_s=60)

    confirmed = ask(host, "config.confirm", {"confirm_id": reply["confirm_id"]})
    host.pass_s(100)

    assert confirmed == {"changed": True, "digest": reply["digest"]}
    assert ask(host, "status")["listen_port"] == 51821


def test_a_first_configuration_that_nobody_confirms_takes_the_interface_away_again(host):
    host.start()
    apply(host, conf(peer()), confirm_timeout_s=10)

    host.pass_s(11)

    assert ask(host, "status")["interface"] is None
    assert not host.paths.conf.exists()


def test_a_second_change_before_the_confirmation_reverts_to_the_confirmed_one(host):
    host.start()
    good = apply(host, conf(peer()))
    first = apply(host, conf(peer(), port=2000), confirm_timeout_s=60)
    second = apply(host, conf(peer(), port=3000), confirm_timeout_s=60)

    refused = ask(host, "config.confirm", {"confirm_id": first["confirm_id"]})
    host.pass_s(61)

    assert refused["error"]["code"] == "refused"
    assert second["confirm_id"] != first["confirm_id"]
    assert ask(host, "config.show")["digest"] == good["digest"]
    assert ask(host, "status")["listen_port"] == 51820


def test_the_same_configuration_again_while_pending_starts_the_time_anew(host):
    host.start()
    apply(host, conf(peer()))
    apply(host, conf(peer(), port=2000), confirm_timeout_s=60)
    host.pass_s(50)

    again = apply(host, conf(peer(), port=2000), confirm_timeout_s=60)
    host.pass_s(50)

    assert not again["changed"]
    assert again["pending"]
    assert ask(host, "status")["listen_port"] == 2000
    assert ask(host, "config.confirm", {"confirm_id": again["confirm_id"]})["changed"]


def test_a_crash_before_the_deadline_keeps_the_pending_configuration_and_its_deadline(host):
    host.start()
    apply(host, conf(peer()))
    apply(host, conf(peer(), port=2000), confirm_timeout_s=60)
    host.crash()
    host.time.pass_s(30)

    host.start()

    assert ask(host, "status")["listen_port"] == 2000
    host.pass_s(31)
    assert ask(host, "status")["listen_port"] == 51820


def test_a_crash_beyond_the_deadline_never_brings_the_unconfirmed_configuration_up(host):
    host.start()
    apply(host, conf(peer()))
    apply(host, conf(peer(), port=2000), confirm_timeout_s=60)
    host.crash()
    host.time.pass_s(61)

    host.start()

    assert ask(host, "status")["listen_port"] == 51820
    assert ask(host, "status")["counters"]["config_reverted"] == 1


def test_a_revert_that_cannot_be_made_in_place_starts_the_tunnel_anew(host, monkeypatch):
    host.start()
    apply(host, conf(peer()))
    apply(host, conf(peer(), port=2000), confirm_timeout_s=60)
    routes = host.drivers.routes_made[-1]
    monkeypatch.setattr(host.live.tunnel, "set_listen_port", refuse_to("bind"))

    host.pass_s(61)

    assert len(host.drivers.made) == 2
    assert not routes.is_up
    assert ask(host, "status")["listen_port"] == 51820


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_full_disk_at_the_start_does_not_bring_an_unconfirmed_configuration_up(host, monkeypatch, is_interrupted):
    host.start()
    apply(host, conf(peer()))
    apply(host, conf(peer(), port=2000), confirm_timeout_s=60)
    host.crash()
    host.time.pass_s(61)
    if is_interrupted:
        journal = host.paths.pending_dir / "journal.json"
        journal.write_text(journal.read_text().replace('"pending"', '"writing"'))

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_private", refuse_to("write"))
        host.start()
        while_full = ask(host, "status")
    host.pass_s(6)

    assert while_full["listen_port"] == 51820
    assert ask(host, "status")["pending"] is False
    assert "51820" in ask(host, "config.show")["conf"]


def test_a_full_disk_does_not_keep_an_unconfirmed_configuration_alive(host, monkeypatch):
    host.start()
    apply(host, conf(peer()))
    apply(host, conf(peer(), port=2000), confirm_timeout_s=60)

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_private", refuse_to("write"))
        host.pass_s(61)
        while_full = ask(host, "status")
    host.pass_s(6)
    afterwards = ask(host, "status")

    assert (while_full["listen_port"], while_full["pending"]) == (51820, True)
    assert (afterwards["listen_port"], afterwards["pending"]) == (51820, False)
    assert "51820" in ask(host, "config.show")["conf"]
    assert afterwards["counters"]["config_reverted"] == 1
