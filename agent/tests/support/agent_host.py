# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A host of its own for tests: a root directory, a network namespace, and the real command line in it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from support.netns import Namespace

TUNNEL_TOML = """schema = 1
[host]
name = "{name}"
role = "hub"
"""


class AgentHost:
    """Calls ``wirefleet-agent --json`` in its namespace; ``close`` stops its daemon."""

    def __init__(self, namespace: Namespace, root: Path, tunnel: str, underlay: str, overlay: str) -> None:
        self.namespace = namespace
        self.root = root
        self.tunnel = tunnel
        self.underlay = underlay
        self.overlay = overlay
        self.public_key = str(self.call("key", "ensure")["public_key"])

    def call(self, *words: str, request: object = None, exit_code: int = 0) -> dict[str, object]:
        """The JSON reply of one call of the command line; the exit code must be the expected one."""
        command = [sys.executable, "-m", "wirefleet_agent", "--root", str(self.root), "--tunnel", self.tunnel, "--json"]
        text = "" if request is None else json.dumps(request)
        result = self.namespace.run(*command, *words, check=False, text=text, env={"LOG_LEVEL": "debug"})
        assert result.returncode == exit_code, (
            f"{words}: {result.returncode}\n{result.stdout}{result.stderr}\n{self.log}"
        )
        assert len(result.stdout.splitlines()) == 1, result.stdout
        return json.loads(result.stdout)

    @property
    def log(self) -> str:
        path = self.root / f"var/log/wirefleet/{self.tunnel}.log"
        return path.read_text() if path.exists() else ""

    def conf(self, *peers: str, port: int = 51820, extra: str = "") -> str:
        return "\n".join([f"[Interface]\nListenPort = {port}\nAddress = {self.overlay}/24\n{extra}", *peers])

    def as_peer(self, *, allowed_ips: str | None = None, endpoint: str | None = None, keepalive: int = 1) -> str:
        return (
            f"[Peer]\nPublicKey = {self.public_key}\nEndpoint = {endpoint or self.underlay + ':51820'}\n"
            f"AllowedIPs = {allowed_ips or self.overlay + '/32'}\nPersistentKeepalive = {keepalive}\n"
        )

    def apply(self, conf: str, *, confirm_timeout_s: int = 0, exit_code: int = 0, **more: object) -> dict[str, object]:
        request = {"conf": conf, "toml": TUNNEL_TOML.format(name=self.tunnel), "confirm_timeout_s": confirm_timeout_s}
        return self.call("config", "apply", request=request | more, exit_code=exit_code)

    def ping(self, address: str, count: int = 1) -> bool:
        command = ("ping", "-c", str(count), "-i", "0.2", "-W", "2", address)
        return self.namespace.run(*command, check=False).returncode == 0

    def peers(self) -> dict[str, dict[str, object]]:
        peers = self.call("status")["peers"]
        assert isinstance(peers, list)
        return {str(peer["public_key"]): peer for peer in peers}

    def daemon_pid(self) -> int:
        pid = self.call("status")["pid"]
        assert isinstance(pid, int)
        return pid

    def close(self) -> None:
        self.call("daemon", "stop")

    def leftovers(self) -> list[str]:
        """What a stopped daemon must not leave: its interface and sockets."""
        found = [str(path) for path in (self.root / "run/wirefleet").glob("*.sock")]
        uapi = Path(f"/var/run/wireguard/{self.tunnel}.sock")
        found += [str(uapi)] if uapi.exists() else []
        links = self.namespace.run("ip", "-br", "link").stdout
        return found + [line for line in links.splitlines() if line.startswith(self.tunnel)]


def tunnel_name(label: str) -> str:
    """Unique on the machine: the UAPI sockets of all namespaces lie in one directory."""
    return f"wft{os.getpid() % 100000}{label}"
