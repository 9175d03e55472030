# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Three hubs and some spokes as real processes in namespaces, all on one bridge, for tests of failover."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from support.agent_host import AgentHost, tunnel_name
from support.netns import Lab, Namespace, Process, can_make_namespaces, wait_until

HEARTBEAT = "[heartbeat]\nport = 51821\ninterval_ms = {interval_ms}\nmisses = 3\n"
_LAUNCHER = Path(__file__).with_name("failover_agent.py")


class FailoverHost(AgentHost):
    """A hub or a spoke."""

    def __init__(self, lab: Lab, namespace: Namespace, label: str, underlay: str, overlay: str) -> None:
        super().__init__(namespace, lab.directory / label, tunnel_name(label), underlay, overlay)
        self.label = label
        self.is_hub = label.startswith("h")
        self.state = lab.directory / f"{label}.state"
        self.process: Process | None = None

    def start(self) -> None:
        words = (sys.executable, str(_LAUNCHER), str(self.root), self.tunnel, str(self.state))
        self.process = self.namespace.start(*words, env={"LOG_LEVEL": "debug"})

    def configure(self, hubs: Sequence[FailoverHost], spokes: Sequence[FailoverHost], interval_ms: int) -> None:
        others = [hub for hub in hubs if hub is not self]
        toml = f'schema = 1\n[host]\nname = "{self.label}"\nrole = "{"hub" if self.is_hub else "spoke"}"\n'
        toml += f"forwarding = {str(self.is_hub).lower()}\n" + HEARTBEAT.format(interval_ms=interval_ms)
        if self.is_hub:
            keys = ", ".join(f'"{hub.public_key}"' for hub in others)
            toml += f"[relays]\nmembers = [{keys}]\n"
            peers = [hub.peer(f"{hub.overlay}/32") for hub in others]
            peers += [spoke.peer(f"{spoke.overlay}/32", is_called=False) for spoke in spokes]
        else:
            keys = ", ".join(f'"{hub.public_key}"' for hub in hubs)
            toml += f'[[groups]]\nname = "hubs"\nmembers = [{keys}]\nallowed_ips = ["10.86.0.0/16"]\n'
            peers = [
                hub.peer(f"{hub.overlay}/32" + (", 10.86.0.0/16" if number == 0 else ""))
                for number, hub in enumerate(hubs)
            ]
        conf = "\n".join([f"[Interface]\nListenPort = 51820\nAddress = {self.overlay}/16\n", *peers])
        self.apply(conf, toml=toml)

    def peer(self, allowed_ips: str, *, is_called: bool = True) -> str:
        called = f"Endpoint = {self.underlay}:51820\nPersistentKeepalive = 25\n" if is_called else ""
        return f"[Peer]\nPublicKey = {self.public_key}\nAllowedIPs = {allowed_ips}\n{called}"

    def kill(self) -> None:
        os.kill(self.daemon_pid(), signal.SIGKILL)

    def members(self) -> list[dict[str, object]]:
        """Hubs as this host sees them."""
        status = self.call("status")
        groups = status["groups"]
        found = status["relays"] if self.is_hub else groups[0]["members"] if groups else []  # type: ignore[index]
        assert found is None or isinstance(found, list)
        return found or []

    def is_warm(self, members: int) -> bool:
        states = [member["standing"] for member in self.members()]
        return len(states) == members and set(states) <= {"good", "held"}

    def active(self) -> str:
        groups = self.call("status")["groups"]
        assert isinstance(groups, list)
        return str(groups[0]["active"])


class Fleet:
    """Everybody on one bridge."""

    host_type: type[FailoverHost] = FailoverHost

    def __init__(self, lab: Lab, *, spokes: int = 2) -> None:
        self.bridge = lab.namespace("net")
        self.bridge.run("ip", "link", "add", "br0", "type", "bridge")
        self.bridge.run("ip", "link", "set", "br0", "up")
        self.hubs = [self._host(lab, f"h{n}", f"192.0.2.{n}", f"10.86.0.{n}") for n in (1, 2, 3)]
        self.spokes = [self._host(lab, f"s{n}", f"192.0.2.1{n}", f"10.86.1.{n}") for n in range(1, spokes + 1)]

    def _host(self, lab: Lab, label: str, underlay: str, overlay: str) -> FailoverHost:
        namespace = lab.namespace(label)
        _, port = lab.link(namespace, self.bridge, f"{underlay}/24", "")
        self.bridge.run("ip", "link", "set", port, "master", "br0")
        return self.host_type(lab, namespace, label, underlay, overlay)

    @property
    def hosts(self) -> list[FailoverHost]:
        return [*self.hubs, *self.spokes]

    def start(self, interval_ms: int = 500) -> None:
        for host in self.hosts:
            host.configure(self.hubs, self.spokes, interval_ms)
            host.start()
        self.wait_until_warm()

    def wait_until_warm(self) -> None:
        wait_until(lambda: all(hub.is_warm(2) for hub in self.hubs), "hubs know each other", 40)
        wait_until(lambda: all(spoke.is_warm(3) for spoke in self.spokes), "spokes know the hubs", 40)

    def hub_of(self, spoke: FailoverHost) -> FailoverHost:
        active = spoke.active()
        return next(hub for hub in self.hubs if hub.public_key == active)


_Fleet = TypeVar("_Fleet", bound=Fleet)


@contextlib.contextmanager
def fleet_of(kind: type[_Fleet]) -> Iterator[_Fleet]:
    """A fleet, taken away afterwards; then the ends of its logs are printed. Skips where there are no namespaces."""
    if not can_make_namespaces():
        pytest.skip("needs root, /dev/net/tun and ip")  # in CI a skip is a failure
    with Lab() as lab:
        made = kind(lab)
        try:
            yield made
        finally:
            for host in made.hosts:
                if host.process is not None:
                    print(f"--- {host.label}\n{host.process.output[-3000:]}")
