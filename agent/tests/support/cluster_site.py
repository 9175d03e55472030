# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Three whole services of hubs on memory drivers, with a real cluster on loopback between them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.hubs import KEY, loopback_addresses, wait_for
from support.memory_host import MemoryHost
from wirefleet_agent.host.cluster_calls import ClusterCalls
from wirefleet_agent.host.cluster_service import ClusterService
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.service import TunnelService
from wirefleet_agent.keys import PublicKey

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
