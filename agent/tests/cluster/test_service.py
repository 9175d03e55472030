# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The whole service of three hubs on memory drivers, with a real cluster on loopback between them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from support.hubs import KEY, QUICK, loopback_addresses, wait_for
from support.memory_host import MemoryHost
from wirefleet_agent.errors import DriverError, RefusedError
from wirefleet_agent.host import cli, cluster_service
from wirefleet_agent.host.cluster_calls import ClusterCalls
from wirefleet_agent.host.cluster_service import ClusterService
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.service import TunnelService
from wirefleet_agent.keys import PublicKey
from wirefleet_agent.observe import Logs

SPOKE = PublicKey(b"\x09" * 32)


@dataclass
class HubHost:
    host: MemoryHost
    address: str
    key: PublicKey
    service: TunnelService | None = None

    @property
    def cluster(self) -> ClusterService:
        assert self.host.container is not None
        return self.host.container.get(ClusterService)

    def ask(self, verb: str, **request: object) -> dict[str, object]:
        return ClusterCalls(self.cluster, self.host.live).handlers[verb](request)

    def has_spoke(self) -> bool:
        self.host.turn()
        return SPOKE in self.host.live.tunnel.device.peers


class Site:
    """Three hubs that know each other, and a spoke. ``turn``: all loops."""

    def __init__(self, root: Path) -> None:
        self.hubs: list[HubHost] = []
        for number, address in enumerate(loopback_addresses(3)):
            host = MemoryHost(root / f"hub-{number + 1}", hosts=(f"192.0.2.{number + 1}",))
            key = KeyStore(Paths(host.root)).ensure("wf0").public_key
            assert key is not None
            self.hubs.append(HubHost(host, address, key))

    def request(
        self, hub: HubHost, *, has_cluster: bool = True, has_key: bool = True, has_relays: bool = False
    ) -> dict[str, object]:
        lines = ["[Interface]", f"Address = {hub.address}/32", "Table = off"]
        for other in self.hubs:
            if other is not hub:
                lines += ["[Peer]", f"PublicKey = {other.key}", f"AllowedIPs = {other.address}/32"]
        lines += ["[Peer]", f"PublicKey = {SPOKE}", "AllowedIPs = 10.86.1.9/32"]
        toml = f'schema = 1\n[host]\nname = "hub-{self.hubs.index(hub) + 1}"\nrole = "hub"\n'
        if has_cluster:
            members = ",".join(f'{{ key = "{each.key}", address = "{each.address}" }}' for each in self.hubs)
            toml += f"[cluster]\nport = 51822\nmembers = [{members}]\n"
        if has_relays:
            others = ", ".join(f'"{each.key}"' for each in self.hubs if each is not hub)
            toml += f"[relays]\nmembers = [{others}]\nfixed = []\n"
        toml += f'[peers]\n"{SPOKE}" = "spoke-9"\n'
        toml += "".join(f'"{each.key}" = "hub-{n + 1}"\n' for n, each in enumerate(self.hubs) if each is not hub)
        request: dict[str, object] = {"conf": "\n".join(lines), "toml": toml}
        return request | ({"cluster_key": KEY.reveal_base64()} if has_cluster and has_key else {})

    def start(self, *hubs: HubHost) -> None:
        for hub in hubs or self.hubs:
            hub.service = hub.host.start()

    def apply(self, hub: HubHost, **options: bool) -> dict[str, object]:
        assert hub.service is not None
        reply = hub.service._handlers()["config.apply"](self.request(hub, **options))
        hub.host.turn()
        return reply

    def stop(self, *hubs: HubHost) -> None:
        for hub in hubs or self.hubs:
            if hub.service is not None:
                hub.service.stop()
                hub.host.crash()
                hub.service = None

    def turn(self) -> bool:
        for hub in self.hubs:
            if hub.service is not None:
                hub.host.turn(2)
        return False

    def is_writable(self) -> bool:
        self.turn()
        running = [hub for hub in self.hubs if hub.service is not None]
        statuses = [hub.cluster.report.status for hub in running]
        return all(status is not None and status.is_writable for status in statuses)

    def change(self, asked: HubHost, /, **request: object) -> dict[str, object]:
        ticket = asked.ask("cluster.propose", **request)["ticket"]

        def outcome() -> dict[str, object] | None:
            self.turn()
            found = asked.ask("cluster.outcome", ticket=ticket)
            return found if found["is_done"] else None

        found = wait_for(outcome, 15)
        assert isinstance(found, dict)
        return found

    def revoke(self, hub: HubHost, peer: str = "spoke-9") -> dict[str, object]:
        return self.change(hub, op="revoke", peer=peer, reason="lost", who="anna")


@pytest.fixture
def site(tmp_path, monkeypatch) -> Iterator[Site]:
    monkeypatch.setattr(cluster_service, "TIMING", QUICK)
    Logs().configure(level="silent")
    site = Site(tmp_path)
    yield site
    site.stop()
    structlog.reset_defaults()


@pytest.fixture
def together(site) -> Site:
    site.start()
    for hub in site.hubs:
        site.apply(hub)
    wait_for(site.is_writable)
    return site


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


def test_drain_and_resume_reach_every_hubs_state(together):
    first, second, _ = together.hubs
    seen: list[bool] = []
    first.cluster.state.subscribe(lambda: seen.append(first.cluster.state.draining))

    together.change(first, op="drain")
    wait_for(lambda: together.turn() or second.cluster.state.view.drains)

    assert first.cluster.state.draining
    assert not second.cluster.state.draining
    assert second.ask("cluster.status")["drains"] == [str(first.key)]
    together.change(first, op="resume")
    wait_for(lambda: together.turn() or not second.cluster.state.view.drains)
    assert seen[-1] is False


def test_placement_and_epoch(together):
    first, second, third = together.hubs

    together.change(first, op="place", peer="spoke-9", hub="hub-2")
    together.change(second, op="advance", epoch=41)
    wait_for(lambda: together.turn() or third.cluster.state.epoch == 41)

    assert third.cluster.state.override_of(SPOKE) == second.key
    with pytest.raises(RefusedError, match="41 already"):
        together.change(third, op="advance", epoch=40)
    with pytest.raises(RefusedError, match="not a hub"):
        third.ask("cluster.propose", op="place", peer="spoke-9", hub=str(SPOKE))
    together.change(third, op="place", peer="spoke-9", hub="")
    wait_for(lambda: together.turn() or not first.cluster.state.view.overrides)


def test_a_hub_of_its_own_can_drain_alone_without_anybody(together):
    first, second, third = together.hubs
    together.stop(second, third)

    assert first.ask("cluster.drain_alone", is_on=True) == {"changed": True}

    assert first.cluster.state.draining
    assert first.ask("cluster.status")["is_draining_alone"]
    assert first.ask("cluster.drain_alone", is_on=True, check=True) == {"changed": False}


def test_the_majority_of_hubs_cannot_be_revoked(together):
    first = together.hubs[0]
    together.revoke(first, "hub-2")

    with pytest.raises(RefusedError, match="too few hubs"):
        together.revoke(first, "hub-3")


def test_without_a_key_the_tunnel_runs_and_the_cluster_says_why_it_does_not(site):
    first = site.hubs[0]
    site.start(first)

    site.apply(first, has_key=False)

    assert first.has_spoke()
    status = first.ask("cluster.status")
    assert status["state"] == "stopped"
    assert "no cluster key" in status["problem"]
    with pytest.raises(RefusedError, match="takes no part"):
        first.ask("cluster.propose", op="drain")
    assert site.apply(first)["changed"]  # the key alone
    wait_for(lambda: site.turn() or first.cluster.report.status)
    assert site.apply(first)["changed"] is False


def test_damaged_files_keep_a_hub_out_of_the_cluster_and_not_its_tunnel(together):
    first = together.hubs[0]
    together.revoke(first)
    together.stop(first)
    meta = first.host.paths.cluster_dir / "meta"
    meta.write_bytes(meta.read_bytes().replace(b"term", b"tern"))

    together.start(first)

    wait_for(lambda: together.turn() or first.cluster.report.problem)
    assert "damaged" in first.cluster.report.problem
    assert first.ask("cluster.status")["state"] == "stopped"
    assert together.change(together.hubs[1], op="advance", epoch=1)["changed"]


def test_a_file_of_somebody_else_in_the_place_of_the_log_is_not_read(together, tmp_path):
    first = together.hubs[0]
    together.stop(first)
    log = first.host.paths.cluster_dir / "log"
    log.rename(tmp_path / "elsewhere")
    log.symlink_to(tmp_path / "elsewhere")

    together.start(first)

    assert "not a" in first.cluster.problem or "regular file" in first.cluster.problem
    assert first.cluster.runner is None


def test_files_of_the_cluster_and_its_key_are_private(together):
    paths = together.hubs[0].host.paths
    together.revoke(together.hubs[0])

    assert {path.stat().st_mode & 0o777 for path in (paths.cluster_key, *paths.cluster_dir.iterdir())} == {0o600}
    assert paths.cluster_dir.stat().st_mode & 0o777 == 0o700


def test_the_cluster_key_is_in_no_reply_and_no_log(site, capsys):
    Logs().configure(level="debug")
    first = site.hubs[0]
    site.start(first)

    replies = [site.apply(first), first.ask("cluster.status"), first.service.status()]
    site.stop()

    said = json.dumps(replies, default=str) + "".join(capsys.readouterr())
    assert "cluster_started" in said
    assert KEY.reveal_base64() not in said
    assert {"op": "set_cluster_key", "target": "cluster"} in replies[0]["changes"]


def test_the_command_line_of_a_hub(together, monkeypatch, capsys):
    """The real verbs over the real control socket, the loops turned by a thread."""
    first = together.hubs[0]

    def call(*words: str) -> tuple[int, dict[str, object]]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        code = cli.main(["--root", str(first.host.root), "--json", *words])
        return code, json.loads(capsys.readouterr().out)

    with turning(together):
        assert call("peer", "revoke", "spoke-9", "--reason", "lost", "--check") == (0, {"changed": True})
        assert call("peer", "revoke", "spoke-9", "--reason", "lost") == (0, {"changed": True})
        assert call("peer", "revoke", str(SPOKE), "--reason", "lost") == (0, {"changed": False})
        assert call("peer", "restore", "spoke-9") == (0, {"changed": True})
        assert call("peer", "place", "spoke-9", "--hub", "hub-3") == (0, {"changed": True})
        assert call("peer", "place", "spoke-9", "--planned") == (0, {"changed": True})
        assert call("cluster", "epoch", "3") == (0, {"changed": True})
        assert call("drain") == (0, {"changed": True})
        assert call("drain", "--local") == (0, {"changed": True})
        assert call("resume") == (0, {"changed": True})
        code, status = call("cluster", "status")
        assert (code, status["epoch"], status["is_draining_alone"]) == (0, 3, False)
        code, reply = call("drain", "--wait")
        assert (code, reply["error"]["code"]) == (5, "refused")
        code, reply = call("peer", "revoke", "nobody", "--reason", "x")
        assert (code, reply["error"]["code"]) == (2, "usage")
        code, reply = call("cluster", "epoch", "2")
        assert (code, reply["error"]["code"]) == (5, "refused")
        first.cluster.count_spokes = iter([2, 2, 1, 0]).__next__
        code, reply = call("drain", "--wait")
        assert (code, reply["changed"], reply["spokes"]) == (0, True, 0)
    together.stop(*together.hubs[1:])
    wait_for(lambda: not together.is_writable())
    with turning(together):
        for words in (["drain"], ["peer", "restore", "spoke-9"], ["peer", "restore", "spoke-9", "--check"]):
            code, reply = call(*words)
            assert (code, reply["error"]["code"]) == (5, "no_quorum"), words
            assert "cluster status" in reply["error"]["hint"]
        code, status = call("cluster", "status")
        assert (code, status["is_writable"], status["epoch"]) == (0, False, 3)
        assert call("drain", "--local", "--check") == (0, {"changed": True})


@contextlib.contextmanager
def turning(site: Site) -> Iterator[None]:
    import threading

    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            site.turn()
            done.wait(0.002)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(10)


def test_the_tests_hubs_have_addresses_of_their_own():
    assert len(set(loopback_addresses(3)) | set(loopback_addresses(3))) == 6
    assert os.name == "posix"
