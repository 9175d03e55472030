# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Peers that the hubs have agreed to refuse, in the whole services of three hubs."""

from __future__ import annotations

import pytest
from support.cluster_site import SPOKE
from support.hubs import wait_for
from wirefleet_agent.errors import DriverError, RefusedError
from wirefleet_agent.keys import PublicKey


def test_a_revoked_peer_is_gone_from_all_hubs_and_comes_back_when_it_is_restored(together):
    first, second, third = together.hubs
    assert all(hub.has_spoke() for hub in together.hubs)

    assert together.revoke(first) == {"is_done": True, "changed": True}
    wait_for(lambda: not any(hub.has_spoke() for hub in together.hubs), 2.0)

    entry = third.ask("cluster.status")["revoked"][0]
    assert entry["public_key"] == str(SPOKE)
    assert entry["who"] == "anna on hub-1"
    assert entry["reason"] == "lost"
    assert together.change(second, op="restore", peer="spoke-9")["changed"]
    wait_for(lambda: all(hub.has_spoke() for hub in together.hubs), 2.0)
    assert [str(p) for p in first.host.live.tunnel.device.peers[SPOKE].allowed_ips] == ["10.86.1.9/32"]


def test_a_revoked_spoke_and_a_revoked_hub_leave_the_groups_of_a_hub_and_come_back(together):
    first, second, third = together.hubs
    for hub in together.hubs:
        together.apply(hub, has_relays=True)
    device = first.host.live.tunnel.device

    def members() -> dict[str, list[PublicKey]]:
        together.turn()
        return {name: [peer.public_key for peer in group.members] for name, group in device.groups.items()}

    whole = members()
    assert set(whole[str(SPOKE)]) == {SPOKE, second.key, third.key}
    together.revoke(second)
    wait_for(lambda: members() == {})
    together.revoke(third, "hub-2")
    wait_for(lambda: together.turn() or second.key not in device.peers)
    together.change(third, op="restore", peer="spoke-9")
    wait_for(lambda: set(members().get(str(SPOKE), ())) == {SPOKE, third.key})
    together.change(third, op="restore", peer=str(second.key))
    wait_for(lambda: members() == whole)


def test_a_configuration_that_lists_a_revoked_peer_is_applied_without_it_and_says_so(together):
    first = together.hubs[0]
    together.revoke(first)
    wait_for(lambda: not first.has_spoke())

    reply = together.apply(first)

    assert reply["refused_peers"] == [str(SPOKE)]
    assert not first.has_spoke()
    assert len(first.host.live.tunnel.device.peers) == 2


def test_a_hub_that_starts_alone_refuses_whom_it_knows_to_be_revoked_before_it_hears_anybody(together):
    first = together.hubs[0]
    together.revoke(together.hubs[1])
    wait_for(lambda: not any(hub.has_spoke() for hub in together.hubs))
    together.stop()

    together.start(first)

    assert SPOKE not in first.host.live.tunnel.device.peers
    assert first.host.live.refused_peers == [str(SPOKE)]
    assert first.ask("cluster.status")["revoked"]


def test_without_the_cluster_the_configuration_counts_alone(together):
    first = together.hubs[0]
    together.revoke(first)
    wait_for(lambda: not first.has_spoke())

    reply = together.apply(first, has_cluster=False)

    assert "refused_peers" not in reply
    assert first.has_spoke()
    with pytest.raises(RefusedError, match="no cluster"):
        first.ask("cluster.status")


def test_a_change_that_fails_lets_nobody_in_who_is_revoked(together, monkeypatch):
    first = together.hubs[0]
    together.revoke(first)
    wait_for(lambda: not first.has_spoke())

    def fail(*_: object) -> None:
        raise DriverError("no", call="test")

    with monkeypatch.context() as patched:
        patched.setattr(first.host.drivers.routes_made[-1], "add_address", fail)
        request = together.request(first, has_cluster=False)
        request["conf"] = str(request["conf"]).replace("Table = off", "Address = 10.86.0.1/32\nTable = off")
        with pytest.raises(DriverError):
            first.service._handlers()["config.apply"](request)
    reply = together.apply(first)

    assert reply["refused_peers"] == [str(SPOKE)]
    assert not first.has_spoke()
